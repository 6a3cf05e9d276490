//! Which task needs which. Tasks are positions in the file; nothing here recurses over them.

use std::collections::{HashSet, VecDeque};

use petgraph::graph::DiGraph;

/// The needs of all tasks, without a cycle.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph {
    /// Per task what it needs, each once, in the order in which the file says so.
    pub needs: Vec<Vec<usize>>,
    /// Per task what needs it, in the order of the file.
    pub dependents: Vec<Vec<usize>>,
    /// Tasks by the longest chain before them; the order of the file within a level.
    pub levels: Vec<Vec<usize>>,
    /// Every need, by the task that has it.
    pub edges: Vec<Edge>,
    /// A longest chain; of several the one that comes first in the file.
    pub critical_path: Vec<usize>,
}

/// One task needs another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// What is needed.
    pub from: usize,
    /// What needs it.
    pub to: usize,
    /// Why: `needs`, or the first place with an expression that reads it, as `params.text`.
    pub reason: String,
}

/// The needs of tasks as they are found.
#[derive(Debug, Default)]
pub(crate) struct Edges {
    edges: Vec<Edge>,
    seen: HashSet<(usize, usize)>,
}

impl Edges {
    /// Notes a need, unless it is known. `reason` is asked only for a new one.
    pub(crate) fn add(&mut self, from: usize, to: usize, reason: impl FnOnce() -> String) {
        if self.seen.insert((from, to)) {
            self.edges.push(Edge {
                from,
                to,
                reason: reason(),
            });
        }
    }

    /// The needs of each body, counted from its first task. `firsts` are those of all bodies; a need
    /// never leads from one body to another.
    pub(crate) fn split(self, firsts: &[usize]) -> Vec<Edges> {
        let mut bodies: Vec<Edges> = firsts.iter().map(|_| Edges::default()).collect();
        for edge in self.edges {
            let body = firsts.partition_point(|first| *first <= edge.to);
            let body = body.saturating_sub(1);
            if let (Some(edges), Some(first)) = (bodies.get_mut(body), firsts.get(body)) {
                edges.edges.push(Edge {
                    from: edge.from - first,
                    to: edge.to - first,
                    reason: edge.reason,
                });
            }
        }
        bodies
    }

    pub(crate) fn len(&self) -> usize {
        self.edges.len()
    }

    /// The graph of this many tasks, or every group of tasks that wait for each other, as a chain that ends where it begins.
    pub(crate) fn into_graph(self, tasks: usize) -> Result<Graph, Vec<Vec<usize>>> {
        let mut graph = Graph {
            needs: vec![Vec::new(); tasks],
            dependents: vec![Vec::new(); tasks],
            ..Graph::default()
        };
        for edge in &self.edges {
            graph.needs[edge.to].push(edge.from);
            graph.dependents[edge.from].push(edge.to);
        }
        for dependents in &mut graph.dependents {
            dependents.sort_unstable();
        }
        graph.edges = self.edges;
        graph.edges.sort_by_key(|edge| edge.to);
        let (level, before) = graph.sort().map_err(|rest| cycles(&graph.needs, &rest))?;
        let depth = level.iter().max().map_or(0, |deepest| deepest + 1);
        graph.levels = vec![Vec::new(); depth];
        for (task, level) in level.iter().enumerate() {
            graph.levels[*level].push(task);
        }
        let mut at = graph.levels.last().and_then(|last| last.first().copied());
        while let Some(task) = at {
            graph.critical_path.push(task);
            at = before[task];
        }
        graph.critical_path.reverse();
        Ok(graph)
    }
}

impl Graph {
    /// Per task its level and the need that puts it there; the tasks that never get free when there is a cycle.
    #[expect(
        clippy::type_complexity,
        reason = "one caller, two columns of one table"
    )]
    fn sort(&self) -> Result<(Vec<usize>, Vec<Option<usize>>), Vec<bool>> {
        let tasks = self.needs.len();
        let mut open: Vec<usize> = self.needs.iter().map(Vec::len).collect();
        let mut ready: VecDeque<usize> = (0..tasks).filter(|task| open[*task] == 0).collect();
        let (mut level, mut before) = (vec![0; tasks], vec![None; tasks]);
        let mut done = vec![false; tasks];
        while let Some(task) = ready.pop_front() {
            done[task] = true;
            for &next in &self.dependents[task] {
                let deeper = level[task] + 1;
                let earlier = before[next].is_none_or(|known| task < known);
                if deeper > level[next] || (deeper == level[next] && earlier) {
                    level[next] = deeper;
                    before[next] = Some(task);
                }
                open[next] -= 1;
                if open[next] == 0 {
                    ready.push_back(next);
                }
            }
        }
        if done.iter().all(|done| *done) {
            Ok((level, before))
        } else {
            Err(done.iter().map(|done| !done).collect())
        }
    }
}

/// A shortest cycle through the first task of each knot, in the direction of the needs.
fn cycles(needs: &[Vec<usize>], stuck: &[bool]) -> Vec<Vec<usize>> {
    let pairs = (0..needs.len()).filter(|task| stuck[*task]);
    let pairs = pairs.flat_map(|task| {
        needs[task]
            .iter()
            .filter(|need| stuck[**need])
            .map(move |need| (task, *need))
    });
    let narrow = |task: usize| u32::try_from(task).unwrap_or(u32::MAX);
    let stuck =
        DiGraph::<(), (), u32>::from_edges(pairs.map(|(task, need)| (narrow(task), narrow(need))));
    let mut found = Vec::new();
    for knot in petgraph::algo::kosaraju_scc(&stuck) {
        let members: HashSet<usize> = knot.iter().map(|node| node.index()).collect();
        let Some(&first) = members.iter().min() else {
            continue;
        };
        let looped = needs[first].contains(&first);
        if members.len() > 1 || looped {
            found.push(cycle_through(needs, first, &members));
        }
    }
    found.sort_unstable();
    found
}

fn cycle_through(needs: &[Vec<usize>], first: usize, members: &HashSet<usize>) -> Vec<usize> {
    let mut came_from = vec![None; needs.len()];
    let mut queue = VecDeque::from([first]);
    while let Some(task) = queue.pop_front() {
        for &need in needs[task].iter().filter(|need| members.contains(need)) {
            if need == first {
                let mut chain = vec![first];
                let mut at = Some(task);
                while let Some(task) = at.filter(|task| *task != first) {
                    chain.push(task);
                    at = came_from[task];
                }
                chain.push(first);
                chain.reverse();
                return chain;
            }
            if came_from[need].is_none() {
                came_from[need] = Some(task);
                queue.push_back(need);
            }
        }
    }
    vec![first, first]
}
