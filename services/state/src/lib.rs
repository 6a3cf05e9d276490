//! gearmesh-state
