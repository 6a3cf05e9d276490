//! gearmesh-orchestrator
