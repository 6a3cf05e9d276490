//! gearmesh-cli
