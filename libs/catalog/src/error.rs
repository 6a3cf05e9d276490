//! Why a catalogue cannot be built.

/// Why a catalogue cannot be built. The names in the messages are those of the protos.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes are no descriptor set, or files that it imports are not in it.
    #[error("cannot read the descriptors: {0}")]
    Descriptors(#[from] prost_reflect::DescriptorError),
    /// Two sources describe one service in two ways.
    #[error("service `{service}` is described twice, and the two differ")]
    ServiceDiffers {
        /// Full name of the service.
        service: String,
    },
    /// The name under which a foreign engine is to join cannot begin a tool's id.
    #[error("`{name}` cannot name an engine: a letter, then letters and digits, all lower case")]
    EngineName {
        /// The name of the configuration.
        name: String,
    },
    /// Two engines have one id.
    #[error("engine `{name}` is there twice: `{first}` and `{second}`")]
    DuplicateEngine {
        /// The id of both.
        name: String,
        /// A service of the first.
        first: String,
        /// A service of the second.
        second: String,
    },
    /// Two tools have one id, spelling or alias.
    #[error("the name `{name}` stands for two tools: `{first}` and `{second}`")]
    DuplicateName {
        /// The name of both.
        name: String,
        /// Method path of the first.
        first: String,
        /// Method path of the second.
        second: String,
    },
    /// Two RPCs have one HTTP method and template.
    #[error("route `{method} {template}` belongs to two RPCs: `{first}` and `{second}`")]
    DuplicateRoute {
        /// The HTTP method.
        method: String,
        /// The path template, as the second has it.
        template: String,
        /// Method path of the first.
        first: String,
        /// Method path of the second.
        second: String,
    },
    /// The first segment of an annotated route is the id of an engine.
    #[error(
        "the route of `{rpc}` is under `/v1/{collection}`, where the tools of engine `{collection}` are"
    )]
    CollectionIsEngine {
        /// The segment after `/v1/`.
        collection: String,
        /// Method path of the RPC with the annotation.
        rpc: String,
    },
    /// An alias fixes a field that the request does not have, or to a value that it cannot take.
    #[error("alias `{alias}` of `{tool}` cannot fix `{field}`: {message}")]
    Preset {
        /// The alias.
        alias: String,
        /// The tool's id.
        tool: String,
        /// The field as written.
        field: String,
        /// What is wrong.
        message: String,
    },
}
