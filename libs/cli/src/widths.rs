//! The columns of the tree.

/// Characters of a note: an error's sentence fits, a page of text does not.
const NOTE_MAX: usize = 100;

/// Widths of the columns, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Widths {
    pub(crate) id: usize,
    pub(crate) tool: usize,
    pub(crate) remark: usize,
}

impl Widths {
    const ID_MAX: usize = 32;
    const TOOL_MAX: usize = 28;
    /// Mark, time and the blanks between columns.
    const FIXED: usize = 21;
    /// A remark of fewer characters says nothing: names give way to it.
    const REMARK_MIN: usize = 30;
    /// A name of fewer characters is none.
    const NAME_MIN: usize = 8;

    /// Widths for labels and tools of these many characters, within a line.
    pub(crate) fn of(id: usize, tool: usize, line: usize) -> Self {
        let room = line.saturating_sub(Self::FIXED + Self::REMARK_MIN);
        let id = id.min(Self::ID_MAX).min(room.max(Self::NAME_MIN));
        let left = room.saturating_sub(id);
        // The name of the task says more than that of its tool, and half a name nothing.
        let tool = match tool.min(Self::TOOL_MAX) {
            tool if tool <= left => tool,
            _ if left < Self::NAME_MIN => 0,
            _ => left,
        };
        Self {
            id,
            tool,
            remark: line.saturating_sub(id + tool + Self::FIXED).min(NOTE_MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_fit_into_the_line_and_names_keep_what_they_need() {
        assert_eq!(
            Widths::of(5, 12, 100),
            Widths {
                id: 5,
                tool: 12,
                remark: 62
            }
        );
        assert_eq!(Widths::of(90, 90, 200).id, Widths::ID_MAX);
        for line in [60, 80, 100, 200] {
            let Widths { id, tool, remark } = Widths::of(90, 90, line);
            assert!(id + tool + remark + Widths::FIXED <= line, "{line}");
            assert!(remark >= 12, "{line}: {remark}");
        }
        assert_eq!(Widths::of(5, 12, usize::MAX).remark, NOTE_MAX);
    }
}
