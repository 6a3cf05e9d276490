//! Steps from an older shape of tables to a newer one.

/// One step forward. A step that was released is never changed: what it made
/// stands in somebody's file.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// The version after this step; rises within a list, from 1.
    pub version: u32,
    /// The statements, separated by `;`.
    pub sql: &'static str,
}
