//! gearmesh-store
