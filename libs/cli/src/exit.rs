//! What the process says to its caller with one number.

use std::process::ExitCode;

use tonic::Code;

/// The exit codes. Their numbers are part of the interface and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done.
    Done = 0,
    /// Any failure that has no number of its own.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// A file or value is not valid.
    Invalid = 3,
    /// A login is needed or was refused.
    Login = 4,
    /// The thing does not exist.
    NotFound = 5,
    /// It exists already, or was changed meanwhile.
    Conflict = 6,
    /// The run ended `failed`, `cancelled` or `timedOut`.
    RunFailed = 7,
    /// Not finished within the time.
    Unfinished = 8,
    /// The server cannot be reached.
    Unreachable = 9,
    /// The run ended `partial`.
    Partial = 10,
    /// Refused by policy: scope, budget, rate.
    Policy = 11,
    /// Ended by Ctrl-C.
    Interrupted = 130,
}

impl Exit {
    /// Of a failed call.
    pub(crate) fn of_code(code: Code) -> Self {
        match code {
            Code::Ok => Self::Done,
            Code::InvalidArgument => Self::Invalid,
            Code::Unauthenticated => Self::Login,
            Code::PermissionDenied | Code::ResourceExhausted => Self::Policy,
            Code::NotFound => Self::NotFound,
            Code::AlreadyExists | Code::Aborted | Code::FailedPrecondition => Self::Conflict,
            Code::DeadlineExceeded => Self::Unfinished,
            Code::Unavailable => Self::Unreachable,
            Code::Cancelled
            | Code::Unknown
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Internal
            | Code::DataLoss => Self::Failed,
        }
    }

    /// Of a run's status, in the words of any dialect.
    pub(crate) fn of_run(status: &str) -> Self {
        match status {
            "succeeded" | "success" => Self::Done,
            "partial" => Self::Partial,
            "failed" | "failure" | "cancelled" | "timedOut" => Self::RunFailed,
            _ => Self::Unfinished,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn every_grpc_code_has_one_exit_code() {
        let table: Vec<String> = (0..=16)
            .map(|n| {
                let code = Code::from(n);
                format!("{code:?} {}", Exit::of_code(code) as u8)
            })
            .collect();
        expect![[r#"
            Ok 0
            Cancelled 1
            Unknown 1
            InvalidArgument 3
            DeadlineExceeded 8
            NotFound 5
            AlreadyExists 6
            PermissionDenied 11
            ResourceExhausted 11
            FailedPrecondition 6
            Aborted 6
            OutOfRange 1
            Unimplemented 1
            Internal 1
            Unavailable 9
            DataLoss 1
            Unauthenticated 4"#]]
        .assert_eq(&table.join("\n"));
    }

    #[test]
    fn end_of_a_run_has_its_exit_code() {
        for (status, number) in [
            ("succeeded", 0),
            ("success", 0),
            ("partial", 10),
            ("failed", 7),
            ("failure", 7),
            ("cancelled", 7),
            ("timedOut", 7),
            ("running", 8),
        ] {
            assert_eq!(Exit::of_run(status) as u8, number, "{status}");
        }
    }
}
