//! The rules of the format by number, so that a test can say which one it shows.
//!
//! The number is the section of the format's page and the place in it; a number is never given to
//! another rule. A test of the workspace fails when no test names one of them.

/// One rule of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Its number, as `WF-5.3`.
    pub id: &'static str,
    /// What it says, in one line; keys of the format stand in backticks.
    pub text: &'static str,
}

const fn rule(id: &'static str, text: &'static str) -> Rule {
    Rule { id, text }
}

/// Every rule, in the order of the format.
#[rustfmt::skip]
pub const RULES: &[Rule] = &[
    // Files.
    rule("WF-1.1", "a file has at most 1 MiB of UTF-8"),
    rule("WF-1.2", "a file has at most 10,000 tasks over all its graphs"),
    rule("WF-1.3", "a file has at most 50,000 edges over all its graphs"),
    rule("WF-1.4", "groups are nested at most 8 deep"),
    rule("WF-1.5", "workflows call each other at most 10 deep"),
    rule("WF-1.6", "an `each` has at most 10,000 items"),
    rule("WF-1.7", "a run has at most 20,000 task instances"),
    rule("WF-1.8", "the aliases of a file expand to at most 4 MiB"),
    rule("WF-1.9", "unknown keys are errors with a suggestion"),
    rule("WF-1.10", "`x-*` and `$schema` are free"),
    rule("WF-1.11", "duplicate keys are errors"),
    rule("WF-1.12", "scalars are those of YAML 1.2: `on`, `yes` and `no` are text"),
    rule("WF-1.13", "durations are text with the units ms s m h d w; a bare number is an error"),
    rule("WF-1.14", "instants are RFC 3339, zones IANA names, `UTC` included"),
    rule("WF-1.15", "each changed definition becomes a new version"),
    rule("WF-1.16", "a run is pinned to the version it started with, its sub-workflows too"),
    rule("WF-1.17", "a YAML file may hold several documents, each a workflow"),
    // Keys of a workflow.
    rule("WF-2.1", "`name`: small letters, digits, hyphens, begins with a letter, at most 63; required"),
    rule("WF-2.2", "`title`, `description`, `labels`: text, text, map of text; none"),
    rule("WF-2.3", "`inputs`: JSON Schemas with `required` and `sensitive`, checked before the run starts; `{}`"),
    rule("WF-2.4", "an input that is absent and has no default is null"),
    rule("WF-2.5", "the default of an input may use `now`"),
    rule("WF-2.6", "`vars`: constants that may use inputs, run, trigger, now and earlier vars; `{}`"),
    rule("WF-2.7", "`secrets`: names for the `vault://` references that this run may use; `{}`"),
    rule("WF-2.8", "`triggers`: what starts the workflow by itself; `[]`"),
    rule("WF-2.9", "`concurrency`: `limit` 1 runs at once per `key`; without it unlimited"),
    rule("WF-2.10", "`onConflict` `queue` (the default): a run without a place waits"),
    rule("WF-2.11", "`onConflict` `skip`: a run without a place ends cancelled with CONCURRENCY_SKIPPED"),
    rule("WF-2.12", "`onConflict` `cancelRunning`: the runs that hold the places are cancelled"),
    rule("WF-2.13", "a concurrency key that begins with `global:` is shared by all workflows"),
    rule("WF-2.14", "a run inherits the places of its ancestors; a possible cycle is CONCURRENCY_CYCLE"),
    rule("WF-2.15", "`priority` of a workflow: 1-9 of its runs, higher first, a start may set it; 5"),
    rule("WF-2.16", "`maxConcurrent` of a workflow: 1-100 task attempts at once in a run; 10"),
    rule("WF-2.17", "`timeout` of a workflow: of the whole run from admission, then status timedOut; none"),
    rule("WF-2.18", "`onError` of a workflow: `stop`, `continue` or `undo`; `stop`"),
    rule("WF-2.19", "`retry` of a workflow: the default of all its tool tasks; none"),
    rule("WF-2.20", "`tasks` of a workflow: the graph; required, not empty"),
    rule("WF-2.21", "`outputs`: the result of the run and of a sub-workflow; `{}`"),
    rule("WF-2.22", "`onFailure`, `onSuccess`, `finally`: after the graph, in this order; `[]`"),
    rule("WF-2.23", "`finally` runs always, also after cancel and timeout"),
    rule("WF-2.24", "handlers see run.status, run.error and run.failedTask"),
    rule("WF-2.25", "a failure in a handler fails the run, the run's first error stays"),
    // Keys of a task.
    rule("WF-3.1", "`id`: letters, digits, `_`, at most 63, unique in the file, no root name"),
    rule("WF-3.2", "a task has exactly one kind"),
    rule("WF-3.3", "`tool`: engine.verb; engine_verb and aliases are the same tool"),
    rule("WF-3.4", "`workflow`: runs another workflow, `params` are its inputs, its outputs the result"),
    rule("WF-3.5", "`set`: a map of values, no call"),
    rule("WF-3.6", "`approve`: `message`, `approvers`, `quorum` 1, `timeout`, `onTimeout` reject, `form`"),
    rule("WF-3.7", "`wait`: exactly one of `for`, `until`, `event` (`topic`, `where`, `timeout`); gives waited or the event"),
    rule("WF-3.8", "`tasks` of a task: a group with its own graph; gives a map of results by inner id"),
    rule("WF-3.9", "`params`: the arguments, checked against the tool's schema where constant; `{}`"),
    rule("WF-3.10", "`connection`: an error where the tool takes none or `params` sets it too; none"),
    rule("WF-3.11", "`needs`: order without data, added to the needs found in expressions; `[]`"),
    rule("WF-3.12", "`when`: evaluated when `runIf` holds; false or null skips with CONDITION; true"),
    rule("WF-3.13", "`runIf`: the join rule; `ready`"),
    rule("WF-3.14", "`each`: a list or one expression, one instance per element; none"),
    rule("WF-3.15", "`as`: the name of the element; `item`; `index` is the position"),
    rule("WF-3.16", "the element exists in the instance, not in the task's own `when` and `each`"),
    rule("WF-3.17", "`maxConcurrent` of a task: 1-100 instances at once; the run's"),
    rule("WF-3.18", "`onItemError` `stop` (the default): no further instance starts, ITEM_FAILED"),
    rule("WF-3.19", "`onItemError` `continue`: the task succeeds if any instance did, else ITEM_FAILED"),
    rule("WF-3.20", "`repeat`: again until `until` holds, `delay` 1s, `max` 100, `timeout`; else REPEAT_EXHAUSTED"),
    rule("WF-3.21", "`retry` of a task: `attempts` 3, counts the first; the workflow's"),
    rule("WF-3.22", "`backoff`: wait k is `delay` (1s) as constant, linear or exponential (the default)"),
    rule("WF-3.23", "`maxDelay` 5m caps a wait, `jitter` true multiplies it by 0.5-1"),
    rule("WF-3.24", "a peer's Retry-After is the least wait"),
    rule("WF-3.25", "codes marked retryable are retried; `errors` adds, `except` removes"),
    rule("WF-3.26", "failures of `set`, expressions and `when` cost no attempt and are not retried"),
    rule("WF-3.27", "`timeout` of a task: per attempt, which is really cancelled, TASK_TIMEOUT; 5m for tools"),
    rule("WF-3.28", "a timeout of a started call that must not be repeated leaves the outcome unknown"),
    rule("WF-3.29", "`expect`: false of the own result fails the attempt with EXPECTATION_FAILED; none"),
    rule("WF-3.30", "`onError` of a task: `stop`, `continue` or `use`; the workflow's"),
    rule("WF-3.31", "`onError` `use`: counts as succeeded with this result, error kept, substituted"),
    rule("WF-3.32", "`onUnknown` `fail` (the default): OUTCOME_UNKNOWN"),
    rule("WF-3.33", "`onUnknown` `retry`: sent again; `ask`: waits for a person"),
    rule("WF-3.34", "`undo`: `tool` and `params` of the compensating call; the tool's option"),
    rule("WF-3.35", "`priority` of a task: 0-100, higher first among ready tasks, then file order; 0"),
    rule("WF-3.36", "`save`: keeps the result as an artifact of this name; none"),
    rule("WF-3.37", "`sensitive`: the result leaves the engine as a reference; false"),
    rule("WF-3.38", "`idempotencyKey`: equal over the attempts of one pass; hash of run, task, item, pass"),
    rule("WF-3.39", "`cache`: reuses a result with this `key` for `ttl`, tools of effect READ only; none"),
    rule("WF-3.40", "order: needs, runIf, when, each, params, attempts, expect, repeat, onError"),
    rule("WF-3.41", "the result of `each` is a list as long as the input, null where an instance failed"),
    rule("WF-3.42", "the errors of `each` are a list of index, item and error"),
    rule("WF-3.43", "an empty `each` succeeds with an empty list"),
    rule("WF-3.44", "a group with `each` gives one map of results per element"),
    rule("WF-3.45", "inner tasks see outer names, outer tasks see only the group"),
    rule("WF-3.46", "approve, wait, workflow, groups and each parents hold no slot"),
    rule("WF-3.47", "approvers are `user:x` or `role:x`; never an agent, never the starter"),
    rule("WF-3.48", "`quorum` different people; one rejection fails the task with APPROVAL_REJECTED"),
    rule("WF-3.49", "`onTimeout`: `reject`, `approve` or `fail` with APPROVAL_TIMEOUT"),
    rule("WF-3.50", "results above 256 KiB and those with `save` become artifacts"),
    // Expressions: the numbers of the page.
    rule("WF-4.1", "expressions stand in values, conditions hold them bare, `$${` is a literal"),
    rule("WF-4.2", "the names are those of the list and every task id; now never changes in a run"),
    rule("WF-4.3", "a value that is one expression keeps its type; null inside text is an error"),
    rule("WF-4.4", "a missing name or index of a plain path is VARIABLE_RESOLUTION_ERROR"),
    rule("WF-4.5", "in a condition missing is null, null is false, and a number is an error"),
    rule("WF-4.6", "a secret stands alone, in fields marked secret; elsewhere SECRET_EXPOSED"),
    rule("WF-4.7", "bare numbers, true, false and null to the right of a comparison"),
    rule("WF-4.8", "the added functions are pure"),
    rule("WF-4.9", "8 KiB, depth 64, 1,000,000 units of fuel, 4 MiB of output, else EXPRESSION_LIMIT"),
    rule("WF-4.10", "params and result paths are checked against the tools' schemas"),
    // Graph and joins.
    rule("WF-5.1", "needs are `needs` and the task names in expressions; no cycle, nothing that is not there"),
    rule("WF-5.2", "a task starts when its own needs have ended and a slot is free"),
    rule("WF-5.3", "level n is the longest path of n edges"),
    rule("WF-5.4", "`ready`: none failed, and one succeeded or there are no needs"),
    rule("WF-5.5", "`noneFailed`: none failed"),
    rule("WF-5.6", "`allSucceeded`: every one succeeded"),
    rule("WF-5.7", "`allDone`: nothing more"),
    rule("WF-5.8", "`anySucceeded`, `anyFailed`: at least one did"),
    rule("WF-5.9", "failed is failed, cancelled, or skipped because of a failure"),
    rule("WF-5.10", "a skipped task says NEED_FAILED, NEEDS_SKIPPED or RUN_STOPPED"),
    rule("WF-5.11", "a join that can never run is an error"),
    // Failure.
    rule("WF-6.1", "`stop`: running tasks end, only those that wait for failures still start; failed"),
    rule("WF-6.2", "`continue`: dependents follow runIf, all else goes on; partial or failed"),
    rule("WF-6.3", "`undo`: what succeeded is undone in reverse order of its end; undone all or part"),
    rule("WF-6.4", "failed instances under `onItemError: continue` make a run partial"),
    rule("WF-6.5", "after a cancel nothing more is dispatched, attempts end, `finally` runs"),
    rule("WF-6.6", "retry from here: this task only or all after it, with either version; reused is marked"),
    // Triggers.
    rule("WF-7.1", "a trigger has exactly one kind"),
    rule("WF-7.2", "`cron`: 5 fields, or 6 with seconds first; names, L W #; 0 and 7 are Sunday"),
    rule("WF-7.3", "`rrule`: RFC 5545; `start` is the stored DTSTART"),
    rule("WF-7.4", "`interval`: a duration, from `start`"),
    rule("WF-7.5", "`once`: an instant, not in the past"),
    rule("WF-7.6", "`event`: a `topic`, `*` one segment, `**` the rest, with `where`"),
    rule("WF-7.7", "`webhook`: `path`, `methods` [POST], `auth`, `secret`, `respond`"),
    rule("WF-7.8", "`file`: `path`, `glob`, `events` [created], `settle` 2s"),
    rule("WF-7.9", "`email`: `connection`, `folder` INBOX"),
    rule("WF-7.10", "`id`, `when` and `inputs` of a trigger see `trigger`"),
    rule("WF-7.11", "`timezone` of a schedule: an IANA name; UTC"),
    rule("WF-7.12", "`dst`: `gap` after, shift or skip; `overlap` first, last or both"),
    rule("WF-7.13", "`jitter` of a schedule: 0 to 1h; 0"),
    rule("WF-7.14", "`catchUp` none, last or all; `catchUpWindow` 24h; `catchUpMax` 100"),
    rule("WF-7.15", "`until` and `except` end and thin a schedule out"),
    rule("WF-7.16", "`overlap` of a trigger only without `concurrency`"),
    rule("WF-7.17", "a schedule that never fires is SCHEDULE_NEVER_FIRES"),
    // The result document.
    rule("WF-8.1", "the document is the same on every surface"),
    rule("WF-8.2", "times are RFC 3339 UTC with ms, durations integer ms"),
    rule("WF-8.3", "`summary` counts the graph's tasks; cancelled counts as failed"),
    rule("WF-8.4", "skipped tasks have a reason, each tasks items and errors, groups tasks"),
    rule("WF-8.5", "an error has code, message, task, attempt, retryable, hint; never a secret"),
    // Errors: one rule per code.
    rule("WF-9.1", "all errors of a file at once, each with its place; only safe fixes are applied"),
    rule("WF-9.2", "UNKNOWN_KEY"),
    rule("WF-9.3", "DUPLICATE_KEY, DUPLICATE_ID"),
    rule("WF-9.4", "INVALID_ID"),
    rule("WF-9.5", "TASK_KIND"),
    rule("WF-9.6", "UNITLESS_DURATION"),
    rule("WF-9.7", "YAML_MAP_FOR_EXPRESSION"),
    rule("WF-9.8", "YAML_TAB, FILE_TOO_LARGE"),
    rule("WF-9.9", "EXPRESSION_SYNTAX"),
    rule("WF-9.10", "QUOTED_FIELD"),
    rule("WF-9.11", "TEMPLATE_IN_CONDITION"),
    rule("WF-9.12", "UNKNOWN_NAME"),
    rule("WF-9.13", "CIRCULAR_DEPENDENCY"),
    rule("WF-9.14", "MISSING_DEPENDENCY"),
    rule("WF-9.15", "JOIN_NEVER_RUNS"),
    rule("WF-9.16", "TOOL_NOT_FOUND"),
    rule("WF-9.17", "MISSING_PARAM, UNKNOWN_PARAM, PARAM_TYPE"),
    rule("WF-9.18", "INPUT_INVALID"),
    rule("WF-9.19", "CONCURRENCY_CYCLE"),
    rule("WF-9.20", "SECRET_NOT_FOUND"),
    rule("WF-9.21", "SECRET_EXPOSED"),
    rule("WF-9.22", "LITERAL_SECRET"),
    rule("WF-9.23", "CONNECTION_NOT_FOUND, CONNECTION_FAILED"),
    rule("WF-9.24", "SCHEDULE_IN_PAST, SCHEDULE_DST"),
    rule("WF-9.25", "VARIABLE_RESOLUTION_ERROR"),
    rule("WF-9.26", "TASK_TIMEOUT, RUN_TIMEOUT"),
    rule("WF-9.27", "UNUSED_INPUT: no expression uses the input (a warning)"),
    rule("WF-9.28", "a tool's own reason is the code of the task's error"),
    // Other ways to write.
    rule("WF-10.1", "the first match of the detection wins, a named dialect overrides it"),
    rule("WF-10.2", "Oktyv: dependsOn joins by allSucceeded, references add needs"),
    rule("WF-10.3", "Oktyv: timeout is in ms, per attempt, 300000"),
    rule("WF-10.4", "Oktyv: retryPolicy counts all tries and retries every failure that may change"),
    rule("WF-10.5", "Oktyv: config has maxConcurrent 10, continueOnError true, timeout"),
    rule("WF-10.6", "Oktyv: priority, and vault as the default vaultName"),
    rule("WF-10.7", "Oktyv: references keep the type when whole; null prints null inside text"),
    rule("WF-10.8", "Oktyv: faults of the request come in a fixed order, before tools are looked at"),
    rule("WF-10.9", "Oktyv: the answer says success, partial or failure"),
    rule("WF-10.10", "Ordinaut: schedule_kind and schedule_expr are one trigger"),
    rule("WF-10.11", "Ordinaut: payload.params are inputs with defaults"),
    rule("WF-10.12", "Ordinaut: steps run in order, a skipped one does not stop the next"),
    rule("WF-10.13", "Ordinaut: id, uses and with are id, tool and params"),
    rule("WF-10.14", "Ordinaut: save_as names a result under steps"),
    rule("WF-10.15", "Ordinaut: timeout_seconds, max_retries and backoff_strategy"),
    rule("WF-10.16", "Ordinaut: concurrency_key and dedupe_key"),
    rule("WF-10.17", "Ordinaut: expressions over now, params, steps and trigger, with date arithmetic"),
    rule("WF-10.18", "workflow convert writes our own format"),
    // Commands and examples.
    rule("WF-11.1", "validate: sections 1-7 against the catalogue; ends with 0 or 3"),
    rule("WF-11.2", "plan: graph, levels, longest path, reasons, effects; nothing runs"),
    rule("WF-11.3", "run: starts a file or a name, with inputs"),
    rule("WF-11.4", "test: cases with mocks; a call without a mock is an error; 0 or 7"),
    rule("WF-12.1", "the examples are checked, and run offline"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_each_other() {
        let mut last = (1, 0);
        for rule in RULES {
            let number = rule
                .id
                .strip_prefix("WF-")
                .and_then(|id| id.split_once('.'));
            let (section, place) = number.expect("section and place");
            let now: (u32, u32) = (section.parse().unwrap(), place.parse().unwrap());
            let next = now == (last.0, last.1 + 1) || (now.0 == last.0 + 1 && now.1 == 1);
            assert!(next, "{} after {last:?}", rule.id);
            last = now;
        }
    }
}
