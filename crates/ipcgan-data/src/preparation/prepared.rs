//! Contents of a prepared folder.

use crate::FaceLabel;
use crate::excluded::Excluded;

/// Contents of a prepared folder.
pub struct Prepared {
    /// File name and label of each face.
    pub faces: Vec<(String, FaceLabel)>,
    /// Excluded faces with reasons.
    pub excluded: Vec<Excluded>,
    /// Near-duplicates as pairs of file names; only enough pairs to connect each set of duplicates.
    pub duplicates: Vec<[String; 2]>,
}
