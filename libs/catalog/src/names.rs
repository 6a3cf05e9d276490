//! How names of the protos become names of tools.

/// Longest spelling of a tool's name for models, in characters: hosts put the server's
/// name in front and model APIs refuse more than 64.
pub(crate) const MCP_NAME_MAX: usize = 40;

/// `ArchiveCreate` -> `archive_create`, `S3Upload` -> `s3_upload`, `HTTPGet` -> `http_get`.
pub(crate) fn snake_case(name: &str) -> String {
    words(name, '_')
}

/// `ArchiveCreate` -> `archive-create`.
pub(crate) fn kebab_case(name: &str) -> String {
    words(name, '-')
}

fn words(name: &str, separator: char) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::with_capacity(name.len() + 4);
    for (i, &c) in chars.iter().enumerate() {
        if c == '_' {
            out.push(separator);
            continue;
        }
        let before = i.checked_sub(1).map(|b| chars[b]);
        let after_word = before.is_some_and(|b| b.is_lowercase() || b.is_ascii_digit());
        let before_word = before.is_some_and(char::is_uppercase)
            && chars.get(i + 1).is_some_and(|n| n.is_lowercase());
        if c.is_uppercase() && (after_word || before_word) {
            out.push(separator);
        }
        out.extend(c.to_lowercase());
    }
    out
}

/// The spelling where no dot is allowed: `file.archive_create` -> `file_archive_create`.
pub(crate) fn mcp(name: &str) -> String {
    name.replace('.', "_")
}

/// The id of an engine that gives none: the last segment of its package before the
/// version, as `file` of `gearmesh.file.v1`.
pub(crate) fn engine_of_package(package: &str) -> &str {
    let mut segments = package.rsplit('.');
    let last = segments.next().unwrap_or_default();
    if is_version(last) {
        segments.next().unwrap_or(last)
    } else {
        last
    }
}

fn is_version(segment: &str) -> bool {
    segment
        .strip_prefix('v')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// Whether a text can be the id of an engine: `[a-z][a-z0-9]*`.
pub(crate) fn is_engine_id(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

/// Whether a text can be the id of a tool: `[a-z][a-z0-9]*\.[a-z][a-z0-9_]*`.
pub(crate) fn is_tool_id(id: &str) -> bool {
    id.split_once('.').is_some_and(|(engine, verb)| {
        is_engine_id(engine)
            && verb.starts_with(|c: char| c.is_ascii_lowercase())
            && verb
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_people_read_them() {
        for (name, snake) in [
            ("Read", "read"),
            ("ArchiveCreate", "archive_create"),
            ("S3Upload", "s3_upload"),
            ("HTTPGet", "http_get"),
            ("GetV2Thing", "get_v2_thing"),
            ("already_snake", "already_snake"),
        ] {
            assert_eq!(snake_case(name), snake);
            assert_eq!(kebab_case(name), snake.replace('_', "-"));
        }
    }

    #[test]
    fn engine_is_the_segment_before_the_version() {
        for (package, id) in [
            ("gearmesh.file.v1", "file"),
            ("acme.crm.v1beta2", "crm"),
            ("crm", "crm"),
            ("", ""),
        ] {
            assert_eq!(engine_of_package(package), id);
        }
    }

    #[test]
    fn ids_are_checked() {
        assert!(is_tool_id("file.s3_upload"));
        for id in [
            "file",
            "File.read",
            "file.",
            ".read",
            "fi_le.read",
            "file.Read",
            "1.a",
            "a.b-c",
        ] {
            assert!(!is_tool_id(id), "{id}");
        }
    }
}
