//! gearmesh-expr
