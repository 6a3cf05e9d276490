//! gearmesh-runtime
