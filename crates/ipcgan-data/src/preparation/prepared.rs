//! The result of a preparation: faces, excluded images and near-duplicates.

use crate::FaceLabel;
use crate::excluded::Excluded;

/// The result of a preparation, which becomes the tables of the prepared folder.
pub struct Prepared {
    /// File name and label of each face.
    pub faces: Vec<(String, FaceLabel)>,
    /// Excluded faces with reasons.
    pub excluded: Vec<Excluded>,
    /// Near-duplicates as pairs of file names; only enough pairs to connect each set of duplicates.
    pub duplicates: Vec<[String; 2]>,
}
