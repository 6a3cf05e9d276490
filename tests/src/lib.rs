//! gearmesh-tests
