//! What the codes of this program and of workflow files mean.

/// What the codes of this program and of workflow files mean, with the remedy. Those of
/// tools are in the catalogue; a code that is in both means something of its own here.
pub(super) const OWN: &[(&str, &str)] = &[
    (
        "USAGE",
        "The command line is wrong. `gearmesh help` and `--help` behind each verb show what there is.",
    ),
    (
        "SERVER_UNREACHABLE",
        "Nobody answers at the address. Start `gearmesh dev`, or name another server with --server.",
    ),
    (
        "SERVER_NOT_TRUSTED",
        "The certificate of the server is not signed by the roots that are trusted: it is another mesh, or somebody in between. Give the file `ca/root.pem` of the mesh with --ca.",
    ),
    (
        "SERVER_NAME_WRONG",
        "The certificate of the server does not name the host of the address. Use a name that it has; `gearmesh init --host HOST` gives a gateway further ones.",
    ),
    (
        "SERVER_CERTIFICATE_EXPIRED",
        "The certificate of the server has ended. See that the identity engine of its mesh runs, and that the clocks agree.",
    ),
    (
        "CERTIFICATE_EXPIRED",
        "Your certificate has ended. `gearmesh init --renew NAME` gets a fresh one.",
    ),
    (
        "CERTIFICATE_REFUSED",
        "The server does not take your certificate: it is of another mesh. `gearmesh init --client NAME` in the folder of the mesh makes one.",
    ),
    (
        "STORE_LOCKED",
        "Another process uses the folder of the state. Use its address, end it, or name another folder with --folder.",
    ),
    (
        "ADDRESS_IN_USE",
        "Another process listens on the port. Give another with --port or --listen.",
    ),
    (
        "SERVED_ALREADY",
        "Another process serves the folder, with its own flags. Stop it, use it as it is, or name another folder with --folder.",
    ),
    (
        "CONFIG_INVALID",
        "A setting of the file, the environment or --set cannot be used; the message names its key. The reference of the configuration lists all.",
    ),
    (
        "INSECURE_CONFIG",
        "A setting would open the mesh to others without protection. Listen on 127.0.0.1, and join engines that listen there.",
    ),
    (
        "NOT_STARTED",
        "The mesh in this process did not start; the message says why. Mostly a folder or file cannot be used.",
    ),
    (
        "ALREADY_INITIALIZED",
        "What `gearmesh init` would make is there, and it writes over nothing. Name another folder with --folder, take what is there away yourself, or give --if-absent.",
    ),
    (
        "CA_UNUSABLE",
        "The CA of the folder cannot be used; the message says which file is wrong. Put it back as `gearmesh init` made it, or make a mesh in another folder.",
    ),
    (
        "FILE_UNUSABLE",
        "A file or folder that `gearmesh init` needs cannot be read or written. Look at its permissions and the space that is left.",
    ),
    (
        "CERTIFICATE_NOT_RENEWED",
        "The identity engine gave no fresh certificate; the message says why. See that it runs, and that the credential of the client has not ended.",
    ),
    (
        "INTERRUPTED",
        "Ctrl-C ended the command. A run that was watched goes on; `gearmesh run watch` follows it again.",
    ),
    (
        "TIMEOUT",
        "The command did not end within --timeout. A run goes on; `gearmesh run watch` follows it again.",
    ),
    (
        "FILE_NOT_READABLE",
        "A file of the command line cannot be read. Look at its path and permissions; text must be UTF-8.",
    ),
    (
        "NOT_WRITABLE",
        "A file or standard output cannot be written. Look at the permissions and the space that is left.",
    ),
    (
        "WORKFLOW_INVALID",
        "A workflow file has faults. `gearmesh validate` shows each in its line; nothing was run.",
    ),
    (
        "INPUT_INVALID",
        "An input is missing, unknown or of the wrong type. `gearmesh workflow show` tells what a stored workflow takes; a file has it under `inputs`.",
    ),
    (
        "UNKNOWN_CODE",
        "`gearmesh explain` does not know the code. Look at its spelling.",
    ),
    (
        "INTERNAL_ERROR",
        "The program met what it does not expect. The message says what; please report it.",
    ),
    (
        "CONDITION",
        "A task was skipped since its `when` was false.",
    ),
    (
        "NEED_FAILED",
        "A task was skipped since one that it needs has failed. `runIf` lets it run all the same.",
    ),
    (
        "NEEDS_SKIPPED",
        "A task was skipped since all that it needs were skipped. `runIf` lets it run all the same.",
    ),
    (
        "RUN_STOPPED",
        "A task was skipped since the run ended before its turn: another task failed, or the run was cancelled or out of time.",
    ),
    (
        "UNKNOWN_KEY",
        "A workflow file has a key that does not exist, mostly misspelt. `validate --fix` mends what is certain.",
    ),
    (
        "MISSING_KEY",
        "A workflow, task or section lacks a key that it must have.",
    ),
    (
        "INVALID_VALUE",
        "A key of a workflow file has a value that it cannot take; the message says which it can.",
    ),
    (
        "DUPLICATE_KEY",
        "A map of a workflow file has a key twice; only one of the values can be meant.",
    ),
    (
        "DUPLICATE_ID",
        "Two tasks have one id. Ids name tasks in expressions, so each is used once.",
    ),
    (
        "INVALID_ID",
        "An id is a letter, then letters, digits and `_`. A hyphen would read as minus in expressions.",
    ),
    (
        "TASK_KIND",
        "A task does exactly one thing: it has one of the keys that say what.",
    ),
    (
        "UNITLESS_DURATION",
        "A duration is written with its unit: 250ms, 30s, 1h30m.",
    ),
    (
        "YAML_MAP_FOR_EXPRESSION",
        "YAML read `${..}` or `{{ }}` without quotes as a map. Put it in quotes.",
    ),
    (
        "YAML_TAB",
        "YAML does not allow tabs in the indentation. Use blanks.",
    ),
    (
        "YAML_SYNTAX",
        "The file is no YAML or JSON from this place on.",
    ),
    (
        "FILE_TOO_LARGE",
        "A workflow file has at most 1 MiB. Keep data in files that tasks read.",
    ),
    (
        "EXPRESSION_SYNTAX",
        "An expression cannot be read; the mark stands under the place.",
    ),
    (
        "QUOTED_FIELD",
        "In expressions double quotes name a field; text stands in single quotes.",
    ),
    (
        "TEMPLATE_IN_CONDITION",
        "A condition is an expression as a whole and is written without `${}`.",
    ),
    (
        "UNKNOWN_NAME",
        "An expression names a task, input or field that does not exist.",
    ),
    (
        "CIRCULAR_DEPENDENCY",
        "Tasks need each other in a circle, so none could start. Take one need away.",
    ),
    (
        "MISSING_DEPENDENCY",
        "`needs` names a task that is not in the file.",
    ),
    (
        "TOOL_NOT_FOUND",
        "No engine that can be reached has this tool. `gearmesh tool list` shows all.",
    ),
    (
        "ENGINE_NOT_FOUND",
        "No engine has this name. `gearmesh tool list` shows all tools, each with its engine before the full stop.",
    ),
    (
        "MISSING_PARAM",
        "A tool needs a parameter that the task does not give. `gearmesh tool show` lists them.",
    ),
    (
        "UNKNOWN_PARAM",
        "A tool does not have this parameter. `gearmesh tool show` lists them.",
    ),
    (
        "PARAM_TYPE",
        "A parameter has a value of another type than the tool takes.",
    ),
    (
        "LITERAL_SECRET",
        "A secret stands in the file as plain text, where everyone who reads the file sees it.",
    ),
    (
        "LEFT_OUT",
        "A task was left out since only a part of the workflow was to run: `--from`, `--until`, `--only`, or `run retry`.",
    ),
    (
        "NOT_FORMATTED",
        "`gearmesh workflow fmt` has no form for what the file does: it is JSON, or uses anchors, tags or other rare notations of YAML. The file is as it was.",
    ),
    (
        "UNUSED_INPUT",
        "An input is declared, but no expression uses it. Use it, or take it away.",
    ),
    (
        "JOIN_NEVER_RUNS",
        "A task needs tasks of which at most one can run, and asks for all of them. With `runIf: ready` one is enough.",
    ),
    (
        "SECRET_EXPOSED",
        "A secret stands where its value could be seen: in a text, a function, or a parameter that is none for secrets. It is given alone, to a parameter that `gearmesh tool show` marks as secret.",
    ),
    (
        "SECRET_NOT_FOUND",
        "A reference names a secret that is not there, or is none of `secrets` of the file. Store it with `gearmesh vault set`, or correct its name.",
    ),
    (
        "CONNECTION_FAILED",
        "A connection could not be used; the message says at which stage: name lookup, TLS, login, permission.",
    ),
    (
        "SCHEDULE_NEVER_FIRES",
        "A trigger names a time that never comes, such as the 30th of February. `gearmesh schedule preview` shows when a rule fires.",
    ),
    (
        "SCHEDULE_IN_PAST",
        "A trigger is over: its `once` or its end has passed, or it has fired as often as `COUNT` says. Give a later time, or leave it out.",
    ),
    (
        "SCHEDULE_DST",
        "The clocks change while the trigger would fire, so that a local time is skipped or comes twice. `dst` says what is done then.",
    ),
    (
        "SCHEDULE_LEFT_OUT",
        "The schedule of the document is not taken over, since the document says that it is not in use.",
    ),
    (
        "WORKFLOW_SIMILAR",
        "A stored workflow does nearly the same as a new one. Look whether that one would do.",
    ),
];
