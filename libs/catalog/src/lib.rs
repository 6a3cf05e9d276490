//! gearmesh-catalog
