//! The check of a graph: what `verify` counts, and the first thing that is wrong.

use super::connect::reach;
use super::equals::hanging;
use super::layout::{GraphView, NONE};
use crate::filter::Bitmap;
use std::fmt;

/// What is wrong with a list, or with a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offence {
    /// A neighbour that is not a node.
    OutOfRange {
        /// Whose list.
        node: u32,
        /// On which level.
        level: usize,
        /// What is in it.
        neighbour: u32,
    },
    /// A node that is its own neighbour.
    SelfLoop {
        /// The node.
        node: u32,
        /// On which level.
        level: usize,
    },
    /// A neighbour that is twice in a list.
    Duplicate {
        /// Whose list.
        node: u32,
        /// On which level.
        level: usize,
        /// The neighbour.
        neighbour: u32,
    },
    /// A neighbour that is not on the level of the list.
    WrongLevel {
        /// Whose list.
        node: u32,
        /// On which level.
        level: usize,
        /// The neighbour.
        neighbour: u32,
    },
    /// A neighbour after a free place: no walk reads it.
    AfterFreePlace {
        /// Whose list.
        node: u32,
        /// On which level.
        level: usize,
    },
    /// A neighbour that hangs behind a node that equals it.
    Behind {
        /// Whose list.
        node: u32,
        /// On which level.
        level: usize,
        /// The neighbour.
        neighbour: u32,
    },
    /// A node that leads to an equal one that is not a node, not after it in a chain, or one that another node leads to.
    Equal {
        /// Whose list.
        node: u32,
        /// What its last place holds, less 2^31.
        equal: u32,
    },
    /// A node that no path on level 0 leads to from the entry.
    Unreachable {
        /// The node.
        node: u32,
    },
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Offence::OutOfRange { node, level, neighbour } => {
                write!(f, "node {node} has neighbour {neighbour} on level {level}, which is not a node")
            }
            Offence::SelfLoop { node, level } => write!(f, "node {node} is its own neighbour on level {level}"),
            Offence::Duplicate { node, level, neighbour } => {
                write!(f, "node {node} has neighbour {neighbour} twice on level {level}")
            }
            Offence::WrongLevel { node, level, neighbour } => {
                write!(f, "node {node} has neighbour {neighbour} on level {level}, where that node is not")
            }
            Offence::AfterFreePlace { node, level } => {
                write!(f, "node {node} has a neighbour after a free place on level {level}")
            }
            Offence::Behind { node, level, neighbour } => {
                write!(f, "node {node} has neighbour {neighbour} on level {level}, which hangs behind an equal node")
            }
            Offence::Equal { node, equal } => write!(f, "node {node} leads to {equal} as its equal, which cannot be"),
            Offence::Unreachable { node } => write!(f, "node {node} cannot be reached from the entry"),
        }
    }
}

/// What a check found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Nodes of the graph.
    pub nodes: u32,
    /// Nodes that are on level 1.
    pub upper_nodes: u32,
    /// The highest level.
    pub max_level: usize,
    /// Edges on level 0.
    pub edges: u64,
    /// Edges on the levels above.
    pub upper_edges: u64,
    /// Most neighbours of a node on level 0.
    pub max_degree: usize,
    /// Nodes that a walk on level 0 reaches from the entry.
    pub reachable: u32,
    /// Number of things that are wrong.
    pub offences: u64,
    /// The first of them, in the order of nodes; nodes out of reach come last.
    pub first_offence: Option<Offence>,
}

impl Report {
    /// True when nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.offences == 0
    }

    fn offend(&mut self, offence: Offence) {
        self.offences += 1;
        self.first_offence.get_or_insert(offence);
    }
}

/// Reads every list and walks from the entry.
#[must_use]
pub fn check(graph: &GraphView<'_>) -> Report {
    let mut report = Report { nodes: graph.node_count(), max_level: graph.max_level(), ..Report::default() };
    let levels: Vec<u8> = (0..graph.node_count()).map(|node| graph.level_of(node) as u8).collect();
    let hangs = hanging(graph);
    for node in 0..graph.node_count() {
        let top = usize::from(levels[node as usize]);
        report.upper_nodes += u32::from(top > 0);
        for level in 0..=top {
            check_list(graph, (&levels, &hangs), node, level, &mut report);
        }
    }
    if graph.has_equals() {
        check_equals(graph, &hangs, &mut report);
    }
    let mut reached = Bitmap::new(graph.node_count());
    if let Some(entry) = graph.entry() {
        reach(graph, entry, &mut reached);
    }
    report.reachable = reached.count();
    for node in (0..graph.node_count()).filter(|node| !reached.get(*node)) {
        report.offend(Offence::Unreachable { node });
    }
    report
}

/// Nodes in chains ascend behind the first, and each is in one chain.
fn check_equals(graph: &GraphView<'_>, hangs: &Bitmap, report: &mut Report) {
    let mut led_to = Bitmap::new(graph.node_count());
    for (node, equal) in (0..graph.node_count()).filter_map(|node| Some((node, graph.leads_to(node, 0)?))) {
        let ascends = graph.next_equal(node).is_some() && (equal > node || !hangs.get(node));
        if !ascends || led_to.get(equal) {
            report.offend(Offence::Equal { node, equal });
        } else {
            led_to.set(equal, true);
        }
    }
}

fn check_list(graph: &GraphView<'_>, (levels, hangs): (&[u8], &Bitmap), node: u32, level: usize, report: &mut Report) {
    let mut seen: Vec<u32> = Vec::with_capacity(graph.capacity(level));
    let mut free = false;
    let neighbours = if graph.leads_to(node, level).is_some() { graph.capacity(0) - 1 } else { graph.capacity(level) };
    for neighbour in graph.places(node, level).take(neighbours) {
        if neighbour == NONE {
            free = true;
        } else if free {
            report.offend(Offence::AfterFreePlace { node, level });
        } else if neighbour >= graph.node_count() {
            report.offend(Offence::OutOfRange { node, level, neighbour });
        } else if neighbour == node {
            report.offend(Offence::SelfLoop { node, level });
        } else if seen.contains(&neighbour) {
            report.offend(Offence::Duplicate { node, level, neighbour });
        } else if hangs.get(neighbour) {
            report.offend(Offence::Behind { node, level, neighbour });
        } else if usize::from(levels[neighbour as usize]) < level {
            report.offend(Offence::WrongLevel { node, level, neighbour });
        } else {
            seen.push(neighbour);
        }
    }
    if level == 0 {
        report.edges += seen.len() as u64;
        report.max_degree = report.max_degree.max(seen.len());
    } else {
        report.upper_edges += seen.len() as u64;
    }
}
