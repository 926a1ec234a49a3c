//! Condition planes: the form in which both networks see an age group.

use burn::tensor::{Int, Tensor};

/// Spreads age groups into one-hot condition planes, the form in which both networks see them.
///
/// Plane `k` of face `b` is one everywhere if face `b` is in group `k`, zero everywhere otherwise.
/// Source: IPCGAN, section "CGANs based face generation module" (`C_t`).
///
/// # Shapes
/// - `age_groups`: `[batch]`, each below `count` (an index outside gives no plane of ones)
/// - returns: `[batch, count, height, width]`
pub fn condition_planes(age_groups: Tensor<1, Int>, count: usize, [height, width]: [usize; 2]) -> Tensor<4> {
    let [batch] = age_groups.dims();
    conditions(age_groups, count).reshape([batch, count, 1, 1]).expand([batch, count, height, width])
}

/// One pixel of [`condition_planes`], `[batch, count]`.
pub(crate) fn conditions(age_groups: Tensor<1, Int>, count: usize) -> Tensor<2> {
    let [batch] = age_groups.dims();
    let plane = Tensor::<1, Int>::arange(0..count as i64, &age_groups.device());
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

        let planes = condition_planes(Tensor::from_data([2, 0], &device), 3, [1, 1]);

        let expected = TensorData::from([[[[0.0]], [[0.0]], [[1.0]]], [[[1.0]], [[0.0]], [[0.0]]]]);
        planes.into_data().assert_eq(&expected, false);
    }
}
