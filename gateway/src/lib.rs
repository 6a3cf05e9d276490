//! gearmesh-gateway
