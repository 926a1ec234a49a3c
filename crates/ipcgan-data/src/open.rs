//! Opens a folder of faces in any supported format.

use std::path::Path;
use std::sync::Arc;

use ipcgan_model::AgeGroups;

use crate::sharded::ShardedFaces;
use crate::{DataError, Excluded, FaceSet, PreparedFolder};

/// Opens the prepared folder `folder`, or the Parquet shards in it; returns the usable faces and the excluded rows.
///
/// # Errors
/// The folder does not exist, or holds no usable table or shard.
pub fn open_faces(folder: &Path, groups: &AgeGroups) -> Result<(Arc<dyn FaceSet>, Vec<Excluded>), DataError> {
    if ShardedFaces::are_in(folder) {
        let (faces, excluded) = ShardedFaces::open(folder, groups)?;
        return Ok((Arc::new(faces), excluded));
    }
    let (faces, excluded) = PreparedFolder::open(folder, groups)?;
    Ok((Arc::new(faces), excluded))
}
