//! From descriptors to the catalogue.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use prost_reflect::{
    DescriptorPool, DynamicMessage, MethodDescriptor, ReflectMessage, ServiceDescriptor,
};

use crate::catalog::{Access, Affinity, Catalog, EngineInfo, Engines, Entry, Rpc, Source};
use crate::error::Error;
use crate::fault::{self, FaultInfo};
use crate::json::Schemas;
use crate::names;
use crate::options::{Options, number, text, texts};
use crate::route::Binding;
use crate::tool::Tool;
use crate::tool_options;

/// The package of gRPC's own services: health, reflection.
const GRPC_PACKAGE: &str = "grpc.";

/// The descriptors of one source, with what is read from them often.
pub(crate) struct Descriptors<'a> {
    bytes: &'a [u8],
    pool: DescriptorPool,
    pub(crate) options: Options,
    pub(crate) schemas: Schemas,
}

#[derive(Default)]
struct Builder {
    /// Counted services, by full name.
    services: HashMap<String, ServiceDescriptor>,
    engines: BTreeMap<String, EngineInfo>,
    rpcs: BTreeMap<String, Rpc>,
    common: Vec<FaultInfo>,
}

pub(crate) fn build(sources: &[Source<'_>]) -> Result<Catalog, Error> {
    let mut read: Vec<Descriptors<'_>> = Vec::new();
    let mut builder = Builder::default();
    for source in sources {
        let known = read.iter().position(|d| d.bytes == source.descriptors);
        let index = match known {
            Some(index) => index,
            None => {
                read.push(Descriptors::read(source.descriptors)?);
                read.len() - 1
            }
        };
        builder.add(&read[index], source.engines)?;
    }
    builder.finish(read.into_iter().map(|d| d.pool).collect())
}

impl<'a> Descriptors<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        let pool = DescriptorPool::decode(bytes)?;
        Ok(Self {
            bytes,
            options: Options::of(&pool),
            schemas: Schemas::new(&pool),
            pool,
        })
    }
}

impl Builder {
    fn add(&mut self, from: &Descriptors<'_>, engines: Engines<'_>) -> Result<(), Error> {
        if self.common.is_empty() {
            self.common = fault::common(&from.pool, &from.options, &from.schemas.docs);
        }
        if let Engines::Foreign(name) = engines
            && !names::is_engine_id(name)
        {
            return Err(Error::EngineName { name: name.into() });
        }
        let services: Vec<_> = from
            .pool
            .services()
            .filter(|s| !s.full_name().starts_with(GRPC_PACKAGE))
            .collect();
        let ambiguous = ambiguous_names(&services);
        for service in &services {
            let option = from.options.engine(service);
            let engine = engine_id(service, option.as_ref(), engines);
            let counts = match engines {
                Engines::All | Engines::Foreign(_) => true,
                Engines::Only(ids) => ids.contains(&engine.as_str()),
            };
            if !counts || self.is_known(service)? {
                continue;
            }
            let foreign = matches!(engines, Engines::Foreign(_));
            self.engine(from, service, &engine, option.as_ref(), foreign)?;
            for method in service.methods() {
                let ambiguous = ambiguous.contains(&method.name().to_owned());
                let rpc = self.rpc(from, method, &engine, foreign, ambiguous)?;
                self.rpcs.insert(rpc.path.clone(), rpc);
            }
        }
        Ok(())
    }

    /// Whether the service was counted before, with the same description.
    fn is_known(&mut self, service: &ServiceDescriptor) -> Result<bool, Error> {
        let name = service.full_name();
        if let Some(known) = self.services.get(name) {
            let same_pool = known.parent_pool() == service.parent_pool();
            if !same_pool
                && known.parent_file().encode_to_vec() != service.parent_file().encode_to_vec()
            {
                let service = name.to_owned();
                return Err(Error::ServiceDiffers { service });
            }
            return Ok(true);
        }
        self.services.insert(name.to_owned(), service.clone());
        Ok(false)
    }

    /// Enters the service's engine, or adds the service to it.
    fn engine(
        &mut self,
        from: &Descriptors<'_>,
        service: &ServiceDescriptor,
        id: &str,
        option: Option<&DynamicMessage>,
        foreign: bool,
    ) -> Result<(), Error> {
        let info = self.engines.entry(id.to_owned()).or_insert(EngineInfo {
            id: id.to_owned(),
            title: String::new(),
            instructions: String::new(),
            affinity: Affinity::None,
            services: Vec::new(),
            faults: Vec::new(),
            foreign,
        });
        if let Some(first) = info.services.first()
            && info.foreign != foreign
        {
            return Err(Error::DuplicateEngine {
                name: id.to_owned(),
                first: first.clone(),
                second: service.full_name().to_owned(),
            });
        }
        let package = service.package_name();
        let known_package = info
            .services
            .iter()
            .any(|s| s.rsplit_once('.').is_some_and(|(p, _)| p == package));
        if !known_package {
            let docs = &from.schemas.docs;
            let faults = fault::of_package(&from.pool, package, id, &from.options, docs);
            info.faults.extend(faults);
        }
        info.services.push(service.full_name().to_owned());
        if let Some(option) = option {
            info.title = text(option, "title");
            info.instructions = text(option, "instructions");
            info.affinity = affinity(option);
        }
        if info.title.is_empty() {
            info.title = id.to_owned();
        }
        Ok(())
    }

    fn rpc(
        &self,
        from: &Descriptors<'_>,
        method: MethodDescriptor,
        engine: &str,
        foreign: bool,
        ambiguous: bool,
    ) -> Result<Rpc, Error> {
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
        let access = from.options.access(&method).map(|option| Access {
            peers: texts(&option, "peers"),
            scope: Some(text(&option, "scope"))
                .filter(|s| !s.is_empty())
                .unwrap_or_else(|| format!("{engine}:admin")),
        });
        let option = from.options.tool(&method);
        let faults = self.engines.get(engine).map(|e| e.faults.clone());
        let context = tool_options::Context {
            descriptors: from,
            engine,
            path: &path,
            faults: faults.unwrap_or_default().into(),
        };
        let tool = match &option {
            Some(option) => Some(tool_options::read(&context, &method, option)?),
            None if foreign && access.is_none() => {
                Some(tool_options::foreign(&context, &method, ambiguous))
            }
            None => None,
        };
        let outside = access
            .as_ref()
            .is_some_and(|a| a.peers.iter().any(|p| p == "gateway"));
        let routes = match &tool {
            Some(tool) => tool.routes.clone(),
            None if outside => routes(&from.options, engine, &method),
            None => Vec::new(),
        };
        Ok(Rpc {
            path,
            method,
            engine: engine.to_owned(),
            access,
            foreign: tool.as_ref().is_some_and(|t| t.foreign),
            tool: tool.map(Arc::new),
            routes,
        })
    }

    fn finish(self, pools: Vec<DescriptorPool>) -> Result<Catalog, Error> {
        let mut tools: Vec<Arc<Tool>> = self.rpcs.values().filter_map(|r| r.tool.clone()).collect();
        tools.sort_by(|a, b| a.id.cmp(&b.id));
        let names = names_of(&tools)?;
        self.check_routes()?;
        Ok(Catalog {
            pools,
            tools,
            names,
            rpcs: self.rpcs,
            engines: self.engines.into_values().collect(),
            common: self.common,
        })
    }

    /// One RPC per route, and no collection under an engine's name.
    fn check_routes(&self) -> Result<(), Error> {
        let mut taken: HashMap<(String, String), &str> = HashMap::new();
        for rpc in self.rpcs.values() {
            for binding in &rpc.routes {
                let key = (binding.method.clone(), binding.shape());
                if let Some(first) = taken.insert(key, &rpc.path) {
                    return Err(Error::DuplicateRoute {
                        method: binding.method.clone(),
                        template: binding.template.clone(),
                        first: first.to_owned(),
                        second: rpc.path.clone(),
                    });
                }
                let collection = binding.collection().filter(|_| !binding.derived);
                if let Some(collection) = collection.filter(|c| self.engines.contains_key(*c)) {
                    return Err(Error::CollectionIsEngine {
                        collection: collection.to_owned(),
                        rpc: rpc.path.clone(),
                    });
                }
            }
        }
        Ok(())
    }
}

/// The annotated routes of an RPC, else the derived one.
pub(crate) fn routes(options: &Options, engine: &str, method: &MethodDescriptor) -> Vec<Binding> {
    let annotated = options
        .http(method)
        .map(|rule| Binding::annotated(&rule))
        .unwrap_or_default();
    if annotated.is_empty() {
        vec![Binding::derived(engine, method)]
    } else {
        annotated
    }
}

fn affinity(option: &DynamicMessage) -> Affinity {
    let field = option.descriptor().get_field_by_name("affinity");
    let Some(value) = field.map(|f| option.get_field(&f)) else {
        return Affinity::None;
    };
    let Some(affinity) = value.as_message() else {
        return Affinity::None;
    };
    match number(affinity, "by") {
        2 => Affinity::Run,
        3 => Affinity::Key(text(affinity, "field")),
        _ => Affinity::None,
    }
}

/// The option's id; else the name under which a foreign engine joins; else the package's.
fn engine_id(
    service: &ServiceDescriptor,
    option: Option<&DynamicMessage>,
    engines: Engines<'_>,
) -> String {
    let given = option.map(|o| text(o, "id")).filter(|id| !id.is_empty());
    given.unwrap_or_else(|| match engines {
        Engines::Foreign(name) => name.to_owned(),
        _ => names::engine_of_package(service.package_name()).to_owned(),
    })
}

/// Names of RPCs that more than one service of a source has.
fn ambiguous_names(services: &[ServiceDescriptor]) -> Vec<String> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for method in services.iter().flat_map(ServiceDescriptor::methods) {
        *counts.entry(method.name().to_owned()).or_default() += 1;
    }
    counts
        .into_iter()
        .filter_map(|(name, count)| (count > 1).then_some(name))
        .collect()
}

/// Every id, spelling and alias; no name for two tools.
fn names_of(tools: &[Arc<Tool>]) -> Result<HashMap<String, Entry>, Error> {
    let mut names: HashMap<String, Entry> = HashMap::new();
    for (index, tool) in tools.iter().enumerate() {
        let own = [tool.id.clone(), tool.mcp_name()].map(|name| (name, None));
        let aliases = tool.aliases.iter().enumerate().flat_map(|(at, alias)| {
            [alias.name.clone(), names::mcp(&alias.name)].map(|name| (name, Some(at)))
        });
        for (name, alias) in own.into_iter().chain(aliases) {
            let entry = Entry { tool: index, alias };
            let Some(first) = names.insert(name.clone(), entry) else {
                continue;
            };
            let same = first.tool == index && first.alias == alias;
            if !same {
                return Err(Error::DuplicateName {
                    name,
                    first: tools[first.tool].path.clone(),
                    second: tool.path.clone(),
                });
            }
        }
    }
    Ok(names)
}
