//! gearmesh-testkit
