//! Readiness of a prepared folder for the training stages.

use std::collections::HashMap;

use ipcgan_model::AgeGroups;

use super::Prepared;
use crate::{Split, counted};

/// Readiness of a prepared folder for training.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// Age groups without a face, by split; the test split counts only if it has faces.
    pub empty_groups: Vec<(Split, Vec<String>)>,
    /// Number of faces of unknown age group.
    pub faces_of_unknown_age: usize,
    /// Number of known identities.
    pub identities: usize,
    /// Number of identities with at least two training faces.
    pub identities_to_compare: usize,
    /// Number of faces of unknown identity.
    pub faces_of_unknown_identity: usize,
    /// Each training stage, and whether it can be trained on the folder.
    pub stages: Vec<(&'static str, StageReadiness)>,
}

impl Prepared {
    /// Which training stages the faces suffice for, with age groups `groups`.
    pub fn readiness(&self, groups: &AgeGroups) -> Readiness {
        Readiness::of(self, groups)
    }
}

/// Whether a training stage can be trained on a prepared folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StageReadiness {
    /// It can.
    Ready,
    /// It can, with poor results; the text gives the reason.
    Weak(String),
    /// It cannot; the text gives the reason.
    Missing(String),
}

impl Readiness {
    /// Readiness of `prepared`.
    pub(super) fn of(prepared: &Prepared, groups: &AgeGroups) -> Self {
        let faces = || prepared.faces.iter().map(|(_, label)| label);
        let mut identities: HashMap<&str, usize> = HashMap::new();
        for label in faces() {
            if let Some(identity) = &label.identity {
                *identities.entry(identity).or_default() += usize::from(label.split == Some(Split::Train));
            }
        }
        let identities_to_compare = identities.values().filter(|faces| **faces >= 2).count();
        let has_faces = |split| faces().any(|label| label.split == Some(split));
        let empty = |split: Split| -> Vec<String> {
            let filled = |group| faces().any(|label| label.split == Some(split) && label.group == Some(group));
            groups.indices().filter(|group| !filled(*group)).map(|group| groups.name(group)).collect()
        };
        let splits = Split::ALL.into_iter().filter(|split| *split != Split::Test || has_faces(*split));
        let empty_groups: Vec<_> =
            splits.map(|split| (split, empty(split))).filter(|(_, groups)| !groups.is_empty()).collect();
        let identity = match (has_faces(Split::Train), identities.len(), identities_to_compare) {
            (false, ..) => StageReadiness::Missing("there are no faces in train".into()),
            (_, 0, _) => StageReadiness::Weak(
                "no identity is known, so each face counts as an identity of its own, and there is no identity to preserve across ages".into(),
            ),
            (_, _, 0 | 1) => {
                let identities = counted(identities_to_compare, "identity has", "identities have");
                StageReadiness::Weak(format!(
                    "only {identities} two faces or more in train, and telling people apart takes two"
                ))
            }
            _ => StageReadiness::Ready,
        };
        let age = age_stage(&empty_groups);
        Self {
            faces_of_unknown_age: faces().filter(|label| label.group.is_none()).count(),
            identities: identities.len(),
            identities_to_compare,
            faces_of_unknown_identity: faces().filter(|label| label.identity.is_none()).count(),
            stages: vec![("identity", identity), ("age", age.clone()), ("aging", age)],
            empty_groups,
        }
    }

    /// As text, one line each.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (split, groups) in &self.empty_groups {
            lines.push(format!("empty age groups in {split}: {}", groups.join(", ")));
        }
        if self.faces_of_unknown_age > 0 {
            let faces = counted(self.faces_of_unknown_age, "face", "faces");
            lines.push(format!("{faces} of unknown age, which only the identity stage uses"));
        }
        let identities = counted(self.identities, "identity", "identities");
        let compare = self.identities_to_compare;
        lines.push(match (self.identities, self.faces_of_unknown_identity) {
            (0, _) => "no identity is known".into(),
            (_, 0) => format!("{identities}, {compare} with two faces or more in train"),
            (_, unknown) => {
                let unknown = counted(unknown, "face", "faces");
                format!("{identities}, {compare} with two faces or more in train; {unknown} of unknown identity")
            }
        });
        for (stage, readiness) in &self.stages {
            lines.push(match readiness {
                StageReadiness::Ready => format!("{stage} stage: ready"),
                StageReadiness::Weak(reason) => format!("{stage} stage: possible, but {reason}"),
                StageReadiness::Missing(reason) => format!("{stage} stage: not possible, {reason}"),
            });
        }
        lines
    }
}

/// Requirements of the stages with age labels: a training face of every group, and a validation face.
fn age_stage(empty_groups: &[(Split, Vec<String>)]) -> StageReadiness {
    let empty = |split| empty_groups.iter().find(|(other, _)| *other == split).map(|(_, groups)| groups.join(", "));
    match (empty(Split::Train), empty(Split::Valid)) {
        (None, None) => StageReadiness::Ready,
        (Some(groups), _) => StageReadiness::Missing(format!("train has no face of {groups}")),
        (None, Some(groups)) => StageReadiness::Missing(format!("valid has no face of {groups}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FaceLabel;

    fn face(group: Option<usize>, identity: &str, split: Split) -> (String, FaceLabel) {
        let identity = (!identity.is_empty()).then(|| identity.to_string());
        ("a.png".into(), FaceLabel { group, identity, split: Some(split), ..FaceLabel::default() })
    }

    fn readiness(faces: Vec<(String, FaceLabel)>) -> Readiness {
        let prepared = Prepared { faces, excluded: Vec::new(), duplicates: Vec::new() };
        Readiness::of(&prepared, &AgeGroups::new(vec![11, 41]).unwrap())
    }

    #[test]
    fn a_folder_with_all_groups_and_identities_is_ready_for_all_stages() {
        let mut faces = Vec::new();
        for (split, people) in [(Split::Train, ["ann", "bob"]), (Split::Valid, ["cem", "dan"])] {
            for person in people {
                faces.extend([0, 1].map(|group| face(Some(group), person, split)));
            }
        }

        let readiness = readiness(faces);

        let expected = [
            "4 identities, 2 with two faces or more in train",
            "identity stage: ready",
            "age stage: ready",
            "aging stage: ready",
        ];
        assert_eq!(readiness.lines(), expected);
    }

    #[test]
    fn missing_labels_are_listed_with_the_stages_that_need_them() {
        let readiness = readiness(vec![face(Some(0), "", Split::Train), face(None, "", Split::Valid)]);

        let lines = readiness.lines();

        assert_eq!(lines[0], "empty age groups in train: 41+");
        assert_eq!(lines[1], "empty age groups in valid: 11-40, 41+");
        assert_eq!(lines[2], "1 face of unknown age, which only the identity stage uses");
        assert_eq!(lines[3], "no identity is known");
        assert!(lines[4].starts_with("identity stage: possible, but no identity is known"), "{lines:?}");
        assert_eq!(lines[5], "age stage: not possible, train has no face of 41+");
        assert_eq!(lines[6], "aging stage: not possible, train has no face of 41+");
    }
}
