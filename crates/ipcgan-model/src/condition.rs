//! Condition vectors: one-hot age groups.

use burn::tensor::{Int, Tensor};

use crate::operation::count_from_zero;

/// One pixel of the paper's condition planes `C_t`: one for the face's group, zero for the others.
///
/// The planes are constant, so code that needs whole planes broadcasts this pixel.
///
/// # Shapes
/// - `age_groups`: `[batch]`, each below `count` (any other index gives planes of zeros only)
/// - returns: `[batch, count]`
pub(crate) fn conditions(age_groups: Tensor<1, Int>, count: usize) -> Tensor<2> {
    let [batch] = age_groups.dims();
    let plane = count_from_zero(count, &age_groups);
    // Compared, because `one_hot` reads the indices back to the host and so stalls every step.
    age_groups.reshape([batch, 1]).equal(plane.reshape([1, count])).float()
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    #[test]
    fn only_the_plane_of_the_age_group_is_one() {
        let device = Device::flex();

        let conditions = conditions(Tensor::from_data([2, 0], &device), 3);

        conditions.into_data().assert_eq(&TensorData::from([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]), false);
    }
}
