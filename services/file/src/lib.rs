//! gearmesh-file
