//! gearmesh-demo
