//! [`Forest`]: boosted trees as flat lists of nodes, which is what answers and what is saved.
//!
//! A child always stands after its parent, so that a walk ends whatever a file says.

use hessboost::prelude::BoostedModel;

/// The feature of a leaf.
const LEAF: u32 = u32::MAX;
/// Words of a node in a file.
pub(crate) const NODE_WORDS: usize = 3;

/// A split, or a leaf with its weight.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Node {
    /// The number that is compared; [`LEAF`] where none is.
    feature: u32,
    /// Where smaller numbers go.
    left: u32,
    right: u32,
    /// Where a missing number goes.
    missing: u32,
    /// The threshold of a split, the weight of a leaf.
    value: f64,
}

/// A sum of trees.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Forest {
    /// What is said before any tree.
    pub(crate) base: f64,
    roots: Vec<u32>,
    nodes: Vec<Node>,
}

impl Forest {
    /// A forest without trees.
    pub(crate) fn constant(base: f64) -> Self {
        Self { base, ..Self::default() }
    }

    /// The trees of a model with one output; `None` for one that is not whole or splits otherwise than by a threshold.
    pub(crate) fn of_model(model: &BoostedModel) -> Option<Self> {
        let mut forest = Self::constant(f64::from(model.base_score()));
        for tree in model.trees() {
            let first = u32::try_from(forest.nodes.len()).ok()?;
            let place = |child: i32| first.checked_add(u32::try_from(child).ok()?);
            forest.roots.push(first);
            for node in tree.nodes() {
                forest.nodes.push(match node.is_leaf() {
                    true => Node { feature: LEAF, left: 0, right: 0, missing: 0, value: f64::from(node.leaf_value) },
                    false if node.is_categorical => return None,
                    false => {
                        let (left, right) = (place(node.left)?, place(node.right)?);
                        let missing = if node.default_left { left } else { right };
                        let value = f64::from(node.split_cond);
                        Node { feature: node.split_feature, left, right, missing, value }
                    }
                });
            }
        }
        Some(forest)
    }

    /// The number of trees.
    pub(crate) fn trees(&self) -> usize {
        self.roots.len()
    }

    /// The logit of a row of numbers, NaN where one is missing.
    pub(crate) fn logit(&self, features: &[f32]) -> f64 {
        let mut sum = self.base;
        for root in &self.roots {
            let mut node = &self.nodes[*root as usize];
            while node.feature != LEAF {
                let x = f64::from(features[node.feature as usize]);
                let next = match x {
                    _ if x.is_nan() => node.missing,
                    _ if x < node.value => node.left,
                    _ => node.right,
                };
                node = &self.nodes[next as usize];
            }
            sum += node.value;
        }
        sum
    }

    /// Whether all its numbers are some.
    pub(crate) fn is_finite(&self) -> bool {
        self.base.is_finite() && self.nodes.iter().all(|node| node.value.is_finite())
    }

    /// Base, trees and nodes as words of a file: what [`of_words`](Self::of_words) takes.
    pub(crate) fn words(&self) -> ([u64; 3], Vec<u64>, Vec<u64>) {
        let head = [self.base.to_bits(), self.roots.len() as u64, self.nodes.len() as u64];
        let pair = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
        let of_node = |node: &Node| {
            let places = [pair(node.feature, node.left), pair(node.right, node.missing), node.value.to_bits()];
            places.into_iter()
        };
        let roots = self.roots.iter().map(|root| u64::from(*root)).collect();
        (head, roots, self.nodes.iter().flat_map(of_node).collect())
    }

    /// The forest of words on `features` numbers; `None` where they make none.
    pub(crate) fn of_words(base: u64, roots: &[u64], nodes: &[u64], features: usize) -> Option<Self> {
        let base = f64::from_bits(base);
        let count = nodes.len() / NODE_WORDS;
        let root = |root: &u64| u32::try_from(*root).ok().filter(|root| (*root as usize) < count);
        let roots = roots.iter().map(root).collect::<Option<Vec<u32>>>()?;
        let (high, low) = (|word: u64| (word >> 32) as u32, |word: u64| word as u32);
        let mut read = Vec::with_capacity(count);
        for (place, words) in nodes.chunks_exact(NODE_WORDS).enumerate() {
            let node = Node {
                feature: high(words[0]),
                left: low(words[0]),
                right: high(words[1]),
                missing: low(words[1]),
                value: f64::from_bits(words[2]),
            };
            let later = |child: u32| (child as usize) > place && (child as usize) < count;
            let split =
                (node.feature as usize) < features && [node.left, node.right, node.missing].map(later) == [true; 3];
            if !node.value.is_finite() || !(node.feature == LEAF || split) {
                return None;
            }
            read.push(node);
        }
        (base.is_finite() && nodes.len().is_multiple_of(NODE_WORDS)).then_some(Self { base, roots, nodes: read })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stump() -> Forest {
        let leaf = |value| Node { feature: LEAF, left: 0, right: 0, missing: 0, value };
        let split = Node { feature: 1, left: 1, right: 2, missing: 2, value: 0.5 };
        Forest { base: 0.25, roots: vec![0], nodes: vec![split, leaf(-1.0), leaf(2.0)] }
    }

    #[test]
    fn numbers_go_where_they_belong() {
        let forest = stump();
        for (x, logit) in [(0.4_f32, -0.75), (0.5, 2.25), (f32::NAN, 2.25), (f32::MIN, -0.75)] {
            assert_eq!(forest.logit(&[9.0, x]), logit, "{x}");
        }
        assert_eq!(Forest::constant(3.0).logit(&[]), 3.0);
    }

    #[test]
    fn words_that_make_no_forest_are_refused() {
        let (head, roots, nodes) = stump().words();
        let read = |roots: &[u64], nodes: &[u64], features| Forest::of_words(head[0], roots, nodes, features);
        assert_eq!(read(&roots, &nodes, 2), Some(stump()));
        assert_eq!(read(&roots, &nodes, 1), None, "a feature that there is not");
        assert_eq!(read(&[3], &nodes, 2), None, "a root that there is not");
        assert_eq!(read(&roots, &nodes[..8], 2), None, "half a node");
        let mut circle = nodes.clone();
        circle[0] = 1 << 32; // its own child
        assert_eq!(read(&roots, &circle, 2), None);
        let mut endless = nodes.clone();
        endless[2] = f64::INFINITY.to_bits();
        assert_eq!(read(&roots, &endless, 2), None);
    }
}
