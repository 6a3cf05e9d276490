//! From the parser's tree to ours: names of the scope are told from fields, functions are looked up and their arguments
//! counted, places are kept, and what has no meaning is refused before anything runs.

use jmespath::ast::{Ast, KeyValuePair};

use crate::constant;
use crate::error::{Error, Outcome, SYNTAX, Span, fail};
use crate::expression::{Path, Root, Step};
use crate::function::Function;
use crate::node::{Kind, Node};
use crate::operands::{joined, operands};
use crate::parse::Parsed;
use crate::signature::Signature;
use crate::token::{self, literal_json};

/// An expression ready for evaluation, and what it reads.
pub(crate) struct Lowered {
    pub(crate) node: Node,
    pub(crate) roots: Vec<Root>,
    pub(crate) paths: Vec<Path>,
}

/// `named` tells that the names on top are those of a scope; else they are fields of the one value that is looked at.
pub(crate) fn lower(parsed: &Parsed<'_>, named: bool) -> Outcome<Lowered> {
    let mut lowering = Lowering {
        parsed,
        roots: Vec::new(),
        paths: Vec::new(),
    };
    let whole = lowering.node(&parsed.ast, named)?;
    let Lowering {
        mut roots,
        mut paths,
        ..
    } = lowering;
    if whole.plain_path().is_some()
        && let Some(path) = paths.first_mut()
    {
        path.exact = true;
    }
    roots.sort_by_key(|root| root.span.start);
    paths.sort_by_key(|path| path.span.start);
    Ok(Lowered {
        node: whole,
        roots,
        paths,
    })
}

struct Lowering<'p> {
    parsed: &'p Parsed<'p>,
    roots: Vec<Root>,
    paths: Vec<Path>,
}

/// A step that waits until what it is applied to is lowered.
enum Pending<'a> {
    Then(&'a Ast),
    Pipe(&'a Ast, Span),
    Project(&'a Ast),
    Flatten,
    Values,
}

impl Lowering<'_> {
    /// `top` tells that names here are names of the scope.
    fn node(&mut self, ast: &Ast, top: bool) -> Outcome<Node> {
        self.chain(ast, top, Vec::new())
    }

    /// Lowers `ast` with the `pending` steps, the last of which comes first, applied to it.
    fn chain<'a>(
        &mut self,
        ast: &'a Ast,
        top: bool,
        mut pending: Vec<Pending<'a>>,
    ) -> Outcome<Node> {
        let mut links = Vec::new();
        self.links(ast, top, &mut pending, &mut links)?;
        self.record_path(&links);
        if links.len() == 1 {
            return Ok(links.remove(0));
        }
        let span = links[0].span.to(links[links.len() - 1].span);
        Ok(node(Kind::Chain(links), span))
    }

    fn links<'a>(
        &mut self,
        ast: &'a Ast,
        top: bool,
        pending: &mut Vec<Pending<'a>>,
        links: &mut Vec<Node>,
    ) -> Outcome<()> {
        let first = self.leftmost(ast, pending);
        let head = self.head(first, top, pending)?;
        links.push(head);
        while let Some(step) = pending.pop() {
            let span = links.last().map_or_else(Span::default, |link| link.span);
            match step {
                Pending::Then(rhs) => self.links(rhs, false, &mut Vec::new(), links)?,
                Pending::Pipe(rhs, span) => {
                    // Keeps `a | b` from being a plain path: a pipe is an operator.
                    links.push(node(Kind::Current, span));
                    self.links(rhs, false, &mut Vec::new(), links)?;
                }
                Pending::Project(rhs) => {
                    let each = self.projected(rhs)?;
                    let span = Span::new(span.start, span.end.max(each.span.end));
                    links.push(node(Kind::Project(Box::new(each)), span));
                }
                Pending::Flatten => links.push(node(Kind::Flatten, span)),
                Pending::Values => links.push(node(Kind::Values, span)),
            }
        }
        Ok(())
    }

    /// Follows the left sides down to what the chain begins with.
    fn leftmost<'a>(&self, mut ast: &'a Ast, pending: &mut Vec<Pending<'a>>) -> &'a Ast {
        loop {
            let (left, step) = match ast {
                Ast::Subexpr { offset, lhs, rhs } => {
                    let span = self.parsed.span_at(*offset);
                    match span.of(self.parsed.text) {
                        "|" => (lhs, Pending::Pipe(rhs, span)),
                        _ => (lhs, Pending::Then(rhs)),
                    }
                }
                Ast::Projection { lhs, rhs, .. } => (lhs, Pending::Project(rhs)),
                Ast::Flatten { node, .. } => (node, Pending::Flatten),
                Ast::ObjectValues { node, .. } => (node, Pending::Values),
                _ => return ast,
            };
            pending.push(step);
            ast = left;
        }
    }

    /// What a projection does with each element.
    fn projected(&mut self, rhs: &Ast) -> Outcome<Node> {
        let Ast::Condition {
            predicate, then, ..
        } = rhs
        else {
            return self.node(rhs, false);
        };
        let test = Box::new(self.node(predicate, false)?);
        let then = Box::new(self.node(then, false)?);
        let span = Span::new(test.span.start, test.span.end.max(then.span.end));
        Ok(node(Kind::Filter { test, then }, span))
    }

    /// What a chain begins with.
    fn head<'a>(
        &mut self,
        ast: &'a Ast,
        top: bool,
        pending: &mut Vec<Pending<'a>>,
    ) -> Outcome<Node> {
        match ast {
            Ast::Not { offset, node } => self.not(*offset, node, top, pending),
            Ast::Function { offset, name, args } => self.call(*offset, name, args, top),
            Ast::MultiList { offset, elements } => self.list(*offset, elements, top),
            Ast::MultiHash { offset, elements } => self.object(*offset, elements, top),
            Ast::Or { .. } | Ast::And { .. } | Ast::Comparison { .. } => self.operators(ast, top),
            _ => self.leaf(ast, top),
        }
    }

    /// What has nothing inside.
    fn leaf(&mut self, ast: &Ast, top: bool) -> Outcome<Node> {
        let parsed = self.parsed;
        match ast {
            Ast::Identity { offset } if top => self.nothing_current(*offset),
            Ast::Identity { offset } => Ok(node(Kind::Current, parsed.span_at(*offset))),
            Ast::Field { offset, name } => self.field(*offset, name, top),
            Ast::Index { offset, .. } | Ast::Slice { offset, .. } => {
                self.index(ast, parsed.bracket_at(*offset), top)
            }
            Ast::Literal { offset, value } => self.literal(*offset, value),
            Ast::Expref { offset, .. } => fail(
                SYNTAX,
                "`&` stands only before an argument of `map` and of the functions that end in `_by`",
                parsed.span_at(*offset),
            ),
            // All else is a chain or stands inside one.
            _ => fail(
                SYNTAX,
                "expected a name, a value or a function",
                Span::new(0, parsed.text.len()),
            ),
        }
    }

    fn index(&self, ast: &Ast, span: Span, top: bool) -> Outcome<Node> {
        if top {
            let bracket = token::shown(span.of(self.parsed.text));
            return fail(SYNTAX, format!("{bracket} needs a name before it"), span);
        }
        match ast {
            Ast::Slice { step: 0, .. } => fail(SYNTAX, "the step of a slice cannot be 0", span),
            Ast::Slice {
                start, stop, step, ..
            } => {
                let kind = Kind::Slice {
                    start: start.map(i64::from),
                    stop: stop.map(i64::from),
                    step: i64::from(*step),
                };
                Ok(node(kind, span))
            }
            Ast::Index { idx, .. } => Ok(node(Kind::Index(i64::from(*idx)), span)),
            _ => fail(SYNTAX, "expected an index", span),
        }
    }

    fn nothing_current(&self, offset: usize) -> Outcome<Node> {
        let span = self.parsed.span_at(offset);
        let word = span.of(self.parsed.text);
        let message = match word {
            "@" => "`@` has no meaning here outside a filter or projection".to_owned(),
            "[?" => "the filter needs a name before it".to_owned(),
            "[" => "the brackets need a name before them".to_owned(),
            _ => format!("{} needs a name before it", token::shown(word)),
        };
        fail(SYNTAX, message, span)
    }

    fn field(&mut self, offset: usize, name: &str, top: bool) -> Outcome<Node> {
        let span = self.parsed.span_at(offset);
        if !top {
            return Ok(node(Kind::Field(name.to_owned()), span));
        }
        if matches!(name, "true" | "false" | "null") && span.of(self.parsed.text) == name {
            let message = format!("{name} stands in backticks here: `{name}`");
            return Err(Box::new(
                Error::new(SYNTAX, message, span)
                    .hint("only to the right of a comparison may it stand alone")
                    .fixed(span, format!("`{name}`")),
            ));
        }
        self.roots.push(Root {
            name: name.to_owned(),
            span,
        });
        Ok(node(Kind::Root(name.to_owned()), span))
    }

    fn literal(&self, offset: usize, value: &jmespath::Variable) -> Outcome<Node> {
        let span = self.parsed.span_at(offset);
        // The parser's own value has lost the order of keys.
        let word = span.of(self.parsed.text);
        let parsed = match value {
            jmespath::Variable::String(text) if word.starts_with('\'') => Ok(text.clone().into()),
            _ if word.starts_with('`') => literal_json(word),
            _ => serde_json::from_str(word),
        };
        match parsed {
            Ok(value) => Ok(node(Kind::Literal(value), span)),
            Err(_) => fail(SYNTAX, format!("{} is not JSON", token::shown(word)), span),
        }
    }

    /// `!a.b` is `!(a.b)`. The parser reads `(!a).b`, which is a field of a boolean and so always null.
    fn not<'a>(
        &mut self,
        offset: usize,
        negated: &'a Ast,
        top: bool,
        pending: &mut Vec<Pending<'a>>,
    ) -> Outcome<Node> {
        let pipe = pending
            .iter()
            .rposition(|step| matches!(step, Pending::Pipe(..)));
        let inner = pending.split_off(pipe.map_or(0, |at| at + 1));
        let inner = self.chain(negated, top, inner)?;
        let span = self.parsed.span_at(offset).to(inner.span);
        Ok(node(Kind::Not(Box::new(inner)), span))
    }

    fn nodes(&mut self, asts: &[Ast], top: bool) -> Outcome<Vec<Node>> {
        let mut nodes = Vec::with_capacity(asts.len());
        for ast in asts {
            nodes.push(self.node(ast, top)?);
        }
        Ok(nodes)
    }

    fn list(&mut self, offset: usize, elements: &[Ast], top: bool) -> Outcome<Node> {
        let nodes = self.nodes(elements, top)?;
        Ok(node(Kind::List(nodes), self.parsed.bracket_at(offset)))
    }

    fn object(&mut self, offset: usize, elements: &[KeyValuePair], top: bool) -> Outcome<Node> {
        let mut fields = Vec::with_capacity(elements.len());
        for pair in elements {
            let value = self.node(&pair.value, top)?;
            fields.push((pair.key.clone(), value));
        }
        Ok(node(Kind::Object(fields), self.parsed.bracket_at(offset)))
    }

    /// What is nested to the left by one operator becomes one list.
    fn operators(&mut self, ast: &Ast, top: bool) -> Outcome<Node> {
        let (first, right) = operands(ast);
        let mut nodes = vec![self.node(first, top)?];
        for operand in right.iter().rev() {
            nodes.push(self.node(operand.ast, top)?);
        }
        Ok(joined(ast, nodes, right))
    }

    fn call(&mut self, offset: usize, name: &str, args: &[Ast], top: bool) -> Outcome<Node> {
        let span = self.name_before(offset, name);
        let function = Function::named(name, span)?;
        let mut nodes = Vec::with_capacity(args.len());
        for ast in args {
            nodes.push(self.argument(ast, top)?);
        }
        Signature::of(function).check(&nodes, span)?;
        constant::check(function, &nodes)?;
        Ok(node(Kind::Call(function, nodes), span))
    }

    fn argument(&mut self, ast: &Ast, top: bool) -> Outcome<Node> {
        let Ast::Expref { offset, ast } = ast else {
            return self.node(ast, top);
        };
        let inner = self.node(ast, false)?;
        let span = self.parsed.span_at(*offset).to(inner.span);
        Ok(node(Kind::Reference(Box::new(inner)), span))
    }

    /// The place of a function's name, given that of its parenthesis.
    fn name_before(&self, offset: usize, name: &str) -> Span {
        let paren = self.parsed.token_at(offset);
        paren
            .and_then(|at| at.checked_sub(1))
            .map(|at| self.parsed.tokens[at].span)
            .filter(|span| span.of(self.parsed.text) == name)
            .unwrap_or_else(|| self.parsed.span_at(offset))
    }

    fn record_path(&mut self, links: &[Node]) {
        let Some((first, rest)) = links.split_first() else {
            return;
        };
        let Kind::Root(root) = &first.kind else {
            return;
        };
        let steps: Vec<&Node> = rest.iter().take_while(|node| node.is_step()).collect();
        self.paths.push(Path {
            root: root.clone(),
            span: first
                .span
                .to(steps.last().map_or(first.span, |node| node.span)),
            step_spans: steps.iter().map(|node| node.span).collect(),
            steps: steps.into_iter().filter_map(step).collect(),
            exact: false,
        });
    }
}

fn step(node: &Node) -> Option<Step> {
    match &node.kind {
        Kind::Field(name) => Some(Step::Field(name.clone())),
        Kind::Index(index) => Some(Step::Index(*index)),
        _ => None,
    }
}

fn node(kind: Kind, span: Span) -> Node {
    Node { kind, span }
}
