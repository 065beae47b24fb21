//! The sequences of one source, each kept once: hypotheses share what they begin with.

/// A tree of tokens. A sequence is a node and all that stand before it; the root, node 0, is the start and is no token of it.
#[derive(Debug)]
pub(super) struct Paths {
    nodes: Vec<Node>,
    /// What the steps looked at, one after the other.
    attention: Vec<f32>,
}

/// The root's node.
pub(super) const ROOT: usize = 0;

#[derive(Clone, Copy, Debug)]
struct Node {
    before: usize,
    token: u32,
    log_probability: f32,
    looked_at: Looked,
}

/// Where in [`Paths`] it stands what a step looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Looked {
    start: usize,
    len: usize,
}

impl Paths {
    pub(super) fn new(start: u32) -> Self {
        let root = Node { before: ROOT, token: start, log_probability: 0.0, looked_at: Looked::default() };
        Self { nodes: vec![root], attention: Vec::new() }
    }

    /// Keeps what a step looked at.
    pub(super) fn look(&mut self, attention: &[f32]) -> Looked {
        let start = self.attention.len();
        self.attention.extend_from_slice(attention);
        Looked { start, len: attention.len() }
    }

    /// The node of `before` and one token more.
    pub(super) fn push(&mut self, before: usize, token: u32, log_probability: f32, looked_at: Looked) -> usize {
        self.nodes.push(Node { before, token, log_probability, looked_at });
        self.nodes.len() - 1
    }

    pub(super) fn last(&self, node: usize) -> u32 {
        self.nodes[node].token
    }

    /// The tokens, the last one first.
    pub(super) fn backwards(&self, node: usize) -> impl Iterator<Item = u32> {
        self.walk(node).map(|node| node.token)
    }

    /// The tokens.
    pub(super) fn tokens(&self, node: usize) -> Vec<u32> {
        reversed(self.backwards(node))
    }

    /// The log-probability of each token.
    pub(super) fn log_probabilities(&self, node: usize) -> Vec<f32> {
        reversed(self.walk(node).map(|node| node.log_probability))
    }

    /// What each step looked at.
    pub(super) fn attention(&self, node: usize) -> Vec<Vec<f32>> {
        reversed(self.walk(node).map(|node| self.looked(node).to_vec()))
    }

    /// How much all steps together looked at each step of the source.
    pub(super) fn coverage(&self, node: usize) -> Vec<f64> {
        let mut sums = Vec::new();
        for node in self.walk(node) {
            let weights = self.looked(node);
            sums.resize(weights.len().max(sums.len()), 0.0);
            sums.iter_mut().zip(weights).for_each(|(sum, &weight)| *sum += f64::from(weight));
        }
        sums
    }

    fn looked(&self, node: &Node) -> &[f32] {
        let Looked { start, len } = node.looked_at;
        &self.attention[start..start + len]
    }

    fn walk(&self, node: usize) -> impl Iterator<Item = &Node> {
        let mut at = node;
        std::iter::from_fn(move || {
            let node = (at != ROOT).then(|| &self.nodes[at])?;
            at = node.before;
            Some(node)
        })
    }
}

fn reversed<T>(backwards: impl Iterator<Item = T>) -> Vec<T> {
    let mut forwards: Vec<T> = backwards.collect();
    forwards.reverse();
    forwards
}
