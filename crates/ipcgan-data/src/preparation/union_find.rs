//! Disjoint sets of faces.

/// A forest in which each tree is one set (union-find).
pub(super) struct UnionFind(Vec<usize>);

impl UnionFind {
    /// `count` faces, each in its own set.
    pub(super) fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    /// Representative of the set of `index`.
    pub(super) fn find(&mut self, mut index: usize) -> usize {
        while self.0[index] != index {
            self.0[index] = self.0[self.0[index]];
            index = self.0[index];
        }
        index
    }

    /// Merges two sets; returns whether they were disjoint.
    pub(super) fn union(&mut self, one: usize, other: usize) -> bool {
        let [one, other] = [one, other].map(|index| self.find(index));
        self.0[one.max(other)] = one.min(other);
        one != other
    }
}
