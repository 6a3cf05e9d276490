//! gearmesh-http
