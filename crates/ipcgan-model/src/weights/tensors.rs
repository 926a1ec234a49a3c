//! Validation of the tensors of a weights file: names, shapes and finite values.

use std::collections::BTreeMap;

use burn::module::{Module, Param};
use burn::store::burn_pack::Tensor as PackTensor;
use burn::tensor::Tensor;

use crate::{NamedVisitor, visit_named};

/// Maximum number of names that an error lists; further ones are only counted.
const LISTED: usize = 5;
/// Suffix of PyTorch's counter of the batches of a batch norm, which no forward pass reads.
const BATCH_COUNT: &str = ".num_batches_tracked";

/// Checks that `found` has the names and shapes of `expected`, both in the names and the layout of the file.
///
/// # Errors
/// Number and names of the tensors that are missing, unknown, of another shape, or not of floating-point numbers.
pub(super) fn check_names<'a>(
    expected: &[PackTensor],
    found: impl Iterator<Item = &'a PackTensor>,
) -> Result<(), String> {
    let mut missing: BTreeMap<&str, &PackTensor> =
        expected.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
    let is_batch_count = |name: &str| {
        let norm = name.strip_suffix(BATCH_COUNT);
        norm.is_some_and(|norm| expected.iter().any(|tensor| tensor.name == format!("{norm}.running_mean")))
    };
    let (mut unknown, mut other) = (Vec::new(), Vec::new());
    for tensor in found {
        let shape = |tensor: &PackTensor| tensor.shape.to_vec();
        match missing.remove(tensor.name.as_str()) {
            None if is_batch_count(&tensor.name) => (),
            None => unknown.push(tensor.name.clone()),
            Some(ours) if shape(ours) != shape(tensor) => {
                other.push(format!("{} is {:?}, not {:?}", tensor.name, shape(tensor), shape(ours)));
            }
            Some(_) if !tensor.dtype.is_float() => {
                other.push(format!("{} holds {:?}, not floating-point numbers", tensor.name, tensor.dtype));
            }
            Some(_) => (),
        }
    }
    let missing = missing.into_keys().map(String::from).collect();
    let faults = [("missing", missing), ("unknown", unknown), ("of another shape or type", other)];
    let faults = faults.into_iter().filter(|(_, names)| !names.is_empty());
    let faults: Vec<String> = faults.map(|(what, names)| counted(&names, what)).collect();
    if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
}

/// Checks that every parameter of `network` is a finite number, and no variance is below zero.
///
/// # Errors
/// Number and names of the tensors with other values.
pub(super) fn check_values<N: Module>(network: &N) -> Result<(), String> {
    let numbers = visit_named(network, ValueCheck::default());
    let faults = [(numbers.not_finite, "not finite (NaN or infinite)"), (numbers.negative, "below zero")];
    let faults = faults.into_iter().filter(|(names, _)| !names.is_empty());
    let faults: Vec<String> = faults.map(|(names, what)| counted(&names, &format!("{what} in places"))).collect();
    if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
}

#[derive(Default)]
struct ValueCheck {
    not_finite: Vec<String>,
    negative: Vec<String>,
}

impl NamedVisitor for ValueCheck {
    fn visit<const D: usize>(&mut self, name: &[String], parameter: &Param<Tensor<D>>) {
        let values = parameter.val().without_autodiff().into_data();
        if !values.iter::<f32>().all(f32::is_finite) {
            self.not_finite.push(name.join("."));
        } else if name.last().is_some_and(|name| name == "running_var") && values.iter::<f32>().any(|var| var < 0.0) {
            self.negative.push(name.join("."));
        }
    }
}

/// `2 tensors are unknown: a, b`.
pub(super) fn counted(names: &[String], what: &str) -> String {
    let listed = names[..names.len().min(LISTED)].join(", ");
    let more = match names.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let (count, are) =
        if names.len() == 1 { ("1 tensor".into(), "is") } else { (format!("{} tensors", names.len()), "are") };
    format!("{count} {are} {what}: {listed}{more}")
}

#[cfg(test)]
mod tests {
    use burn::store::burn_pack::Bytes;
    use burn::tensor::DType;

    use super::*;

    fn tensor(name: &str, shape: [usize; 1], dtype: DType) -> PackTensor {
        let bytes = Bytes::from_bytes_vec(vec![0; shape[0] * 4]);
        PackTensor::new(name.into(), dtype, shape, None, bytes)
    }

    fn floats(names: &[&str]) -> Vec<PackTensor> {
        names.iter().map(|name| tensor(name, [2], DType::F32)).collect()
    }

    #[test]
    fn tensors_that_are_missing_unknown_or_of_another_shape_are_named() {
        let expected = floats(&["a", "b", "c"]);
        let mut found = floats(&["b", "d"]);
        found.push(tensor("c", [3], DType::F32));

        let error = check_names(&expected, found.iter()).unwrap_err();

        assert_eq!(
            error,
            "1 tensor is missing: a; 1 tensor is unknown: d; 1 tensor is of another shape or type: c is [3], not [2]"
        );
        assert_eq!(check_names(&expected, expected.iter()), Ok(()));
    }

    #[test]
    fn of_many_tensors_the_first_are_named_and_the_others_counted() {
        let names: Vec<String> = (0..7).map(|index| format!("layer{index}")).collect();
        let found = floats(&names.iter().map(String::as_str).collect::<Vec<_>>());

        let error = check_names(&[], found.iter()).unwrap_err();

        assert_eq!(error, "7 tensors are unknown: layer0, layer1, layer2, layer3, layer4 and 2 more");
    }

    #[test]
    fn pytorchs_batch_count_is_accepted_only_for_a_batch_norm() {
        let expected = floats(&["norm.running_mean"]);
        let found = |name| [floats(&["norm.running_mean"]), floats(&[name])].concat();

        assert_eq!(check_names(&expected, found("norm.num_batches_tracked").iter()), Ok(()));
        assert!(check_names(&expected, found("more.num_batches_tracked").iter()).is_err());
    }

    #[test]
    fn integer_tensors_are_refused_as_weights() {
        let error = check_names(&floats(&["a"]), [tensor("a", [2], DType::I32)].iter()).unwrap_err();

        assert!(error.contains("a holds I32"), "{error}");
    }
}
