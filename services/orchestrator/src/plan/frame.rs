//! The graphs of a run that are under way: its own, and one for each group that has begun.

use gearmesh_workflow::BodyId;

use crate::plan::state::{Problem, State};
use crate::plan::task_state::TaskState;

/// One graph under way. Its tasks stand together in [`State::tasks`].
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) body: BodyId,
    /// Where its first task stands.
    pub(crate) first: usize,
    /// The items of the `each` groups around it, the outermost first.
    pub(crate) path: Vec<u32>,
    /// The group whose graph it is, with its item.
    pub(crate) parent: Option<(usize, usize)>,
    /// The frame whose names it sees beside its own.
    pub(crate) outer: Option<usize>,
    /// The pass of its group.
    pub(crate) pass: u32,
    /// The frame of the attempt or round before, of the same group and item.
    pub(crate) before: Option<usize>,
    /// Tasks that have not ended.
    pub(crate) open: usize,
    /// A task failed and nothing further may start, but for those that wait for failures.
    pub(crate) stopping: bool,
    /// The first failure that counts, and whose it was.
    pub(crate) failed: Option<(String, Problem)>,
    /// It is being ended for this reason.
    pub(crate) ending: Option<Problem>,
}

/// The frame of the workflow's own graph.
pub(crate) const ROOT: usize = 0;

impl State {
    /// Adds the tasks of a body.
    pub(crate) fn add_frame(
        &mut self,
        body: BodyId,
        path: Vec<u32>,
        parent: Option<(usize, usize)>,
        outer: Option<usize>,
    ) -> usize {
        let frame = self.frames.len();
        let first = self.tasks.len();
        let workflow = self.workflow.clone();
        let Some(definition) = workflow.bodies.get(body) else {
            return ROOT;
        };
        for (at, needs) in definition.graph.needs.iter().enumerate() {
            let task = TaskState::new(definition.first + at, frame, needs.len());
            if needs.is_empty() {
                self.unlocked.push_back(first + at);
            }
            self.tasks.push(task);
        }
        self.frames.push(Frame {
            body,
            first,
            path: path.clone(),
            parent,
            outer,
            pass: parent.map_or(1, |(group, item)| self.tasks[group].instances[item].pass),
            before: self.frame_of.insert((body, path.clone()), frame),
            open: definition.len(),
            stopping: false,
            failed: None,
            ending: None,
        });
        frame
    }

    /// The pass and the attempts with which an instance begins: those of the graph before,
    /// so that no key is used for two rounds and no attempt's number for two sends.
    pub(crate) fn begins_with(&self, task: usize, item: usize) -> (u32, u32) {
        let frame = self.frame(task);
        let before = |at: Option<usize>| at.map(|at| &self.frames[at]);
        // It may not have begun at all in the graph right before.
        let mut all = std::iter::successors(before(frame.before), |f| before(f.before));
        let known = all.find_map(|before| {
            let task = before.first + (task - frame.first);
            Some((before.pass, self.tasks[task].instances.get(item)?))
        });
        match known {
            Some((pass, instance)) if pass == frame.pass => (instance.pass, instance.attempt),
            Some((_, instance)) => (instance.pass + 1, 0),
            None => (frame.pass, 0),
        }
    }

    /// The frame in which a task stands.
    pub(crate) fn frame(&self, task: usize) -> &Frame {
        &self.frames[self.tasks[task].frame]
    }

    /// The items of the groups around a task, as records have them.
    pub(crate) fn path(&self, task: usize) -> Vec<u32> {
        self.frame(task).path.clone()
    }

    /// Where a task stands, by its id and the items of the groups around it.
    pub(crate) fn at(&self, id: &str, path: &[u32]) -> Option<usize> {
        let definition = *self.index.get(id)?;
        let body = self.body_of(definition);
        if body == 0 && path.is_empty() {
            return Some(definition);
        }
        let frame = *self.frame_of.get(&(body, path.to_vec()))?;
        Some(self.slot(frame, definition))
    }

    /// Where a task of a frame's body stands.
    pub(crate) fn slot(&self, frame: usize, definition: usize) -> usize {
        let frame = &self.frames[frame];
        frame.first + (definition - self.workflow.bodies[frame.body].first)
    }

    /// The body to which a task of the file belongs.
    pub(crate) fn body_of(&self, definition: usize) -> BodyId {
        let bodies = &self.workflow.bodies;
        bodies
            .partition_point(|b| b.first <= definition)
            .saturating_sub(1)
    }

    /// What a task needs, as places in [`State::tasks`].
    pub(crate) fn needs(&self, task: usize) -> impl Iterator<Item = usize> + Clone + '_ {
        let frame = self.frame(task);
        let needs = &self.workflow.bodies[frame.body].graph.needs[task - frame.first];
        needs.iter().map(|need| frame.first + need)
    }

    /// What needs a task.
    pub(crate) fn dependents(&self, task: usize) -> Vec<usize> {
        let frame = self.frame(task);
        let dependents = &self.workflow.bodies[frame.body].graph.dependents[task - frame.first];
        dependents.iter().map(|d| frame.first + d).collect()
    }

    /// The tasks of a frame.
    pub(crate) fn tasks_of(&self, frame: usize) -> std::ops::Range<usize> {
        let frame = &self.frames[frame];
        frame.first..frame.first + self.workflow.bodies[frame.body].len()
    }

    /// The frame and those around it, up to the workflow's own or a handler's.
    pub(crate) fn around(&self, frame: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(Some(frame), |frame| {
            let (group, _) = self.frames[*frame].parent?;
            Some(self.tasks[group].frame)
        })
    }

    /// Whether nothing more may start in a frame, but for tasks that wait for failures. A
    /// group that waits for failures is not held by those around it, nor is what is in it.
    pub(crate) fn stopping(&self, frame: usize) -> bool {
        let mut at = Some(frame);
        while let Some(frame) = at.map(|f| &self.frames[f]) {
            if frame.stopping {
                return true;
            }
            let group = frame.parent.map(|(group, _)| group);
            at = group
                .filter(|group| !self.survives_stop(*group))
                .map(|group| self.tasks[group].frame);
        }
        false
    }

    /// Whether a frame is being ended: nothing starts in it at all.
    pub(crate) fn dying(&self, frame: usize) -> bool {
        let mut around = self.around(frame);
        around.any(|f| self.frames[f].ending.is_some())
    }
}
