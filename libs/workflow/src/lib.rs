//! gearmesh-workflow
