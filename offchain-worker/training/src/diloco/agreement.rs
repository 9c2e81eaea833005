//! The model between two rounds: as blobs, as a hash, and as what the outer step makes of it.

use chasqui_primitives::audit::{HardReason, Verdict};
use chasqui_primitives::training::ModelState;
use sp_core::H256;

use super::blobs::{need, Blobs};
use super::inner::Inner;
use super::outer::{OuterState, Share};
use super::state::{load_vector, store_vector, vector_root};
use crate::error::{Result, TrainingError};

/// Stores weights and momentum and names them; the checkpoint's root is left to whoever makes one.
///
/// # Errors
/// The store fails.
pub fn store_model<B: Blobs + ?Sized>(
    model: &OuterState,
    inner: &Inner,
    blobs: &B,
) -> Result<ModelState> {
    Ok(ModelState {
        hash: model.hash(inner.layout()),
        params: store_vector(blobs, &model.params)?,
        momentum: store_vector(blobs, &model.momentum)?,
        checkpoint: H256::zero(),
    })
}

/// The model that `agreed` names, by the roots of its blobs.
///
/// # Errors
/// A blob is not to be had or no such vector.
pub fn load_model<B: Blobs + ?Sized>(
    agreed: &ModelState,
    inner: &Inner,
    blobs: &B,
) -> Result<OuterState> {
    let len = inner.shape().params;
    Ok(OuterState {
        params: load_vector(blobs, "agreed weights", &agreed.params, len)?,
        momentum: load_vector(blobs, "outer momentum", &agreed.momentum, len)?,
    })
}

/// As [`load_model`], and refuses a model that has not the hash that was agreed on.
///
/// # Errors
/// As [`load_model`], and [`TrainingError::BadBlob`] for another hash.
pub fn check_model<B: Blobs + ?Sized>(
    agreed: &ModelState,
    inner: &Inner,
    blobs: &B,
) -> Result<OuterState> {
    let model = load_model(agreed, inner, blobs)?;
    let found = model.hash(inner.layout());
    match found == agreed.hash {
        true => Ok(model),
        false => Err(TrainingError::BadBlob {
            what: "agreed model",
            root: agreed.params,
            reason: format!("has the hash {found:?}, agreed was {:?}", agreed.hash),
        }),
    }
}

/// The values of the pseudo-gradient `root`.
///
/// # Errors
/// It is not to be had, or is no encoding by the run's codec.
pub fn load_gradient<B: Blobs + ?Sized>(root: &H256, inner: &Inner, blobs: &B) -> Result<Vec<f32>> {
    let coder = inner.coder();
    let bytes = need(blobs, "pseudo-gradient", root, coder.encoded_len())?;
    coder.decode(&bytes)
}

/// Whether the pseudo-gradient `root` is here and decodes: what a member attests.
///
/// # Errors
/// The store fails.
pub fn holds_gradient<B: Blobs + ?Sized>(root: &H256, inner: &Inner, blobs: &B) -> Result<bool> {
    match load_gradient(root, inner, blobs) {
        Ok(_) => Ok(true),
        Err(
            TrainingError::MissingBlob { .. }
            | TrainingError::BadBlob { .. }
            | TrainingError::Gradient(_),
        ) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The model that the outer step over the `included` pseudo-gradients, in rank order, makes of `before`: a function of
/// blobs alone.
///
/// # Errors
/// A blob is missing or not what it should be, or nothing is included.
pub fn outer_result<B: Blobs + ?Sized>(
    before: &ModelState,
    included: &[H256],
    inner: &Inner,
    blobs: &B,
) -> Result<(OuterState, Vec<Share>)> {
    let mut model = load_model(before, inner, blobs)?;
    let recipe = inner.recipe();
    let shares = model.step(
        &recipe.outer,
        recipe.norm_clip_ppm,
        included.len(),
        |rank| load_gradient(&included[rank], inner, blobs),
    )?;
    Ok((model, shares))
}

/// A validator's verdict on an agreed model that was challenged: every bit follows from the model before and the included
/// blobs, so there is nothing to tolerate. (The checkpoint's root is for whoever can make the checkpoint to check.)
///
/// # Errors
/// The auditor's own trouble: its store fails, or the model before is not what was agreed on.
pub fn audit_outer<B: Blobs + ?Sized>(
    before: &ModelState,
    included: &[H256],
    claimed: &ModelState,
    inner: &Inner,
    blobs: &B,
) -> Result<Verdict> {
    let missing = |error| match error {
        TrainingError::MissingBlob { .. } => Ok(Verdict::Withheld),
        error => Err(error),
    };
    if let Err(error) = check_model(before, inner, blobs) {
        return missing(error);
    }
    let (model, _) = match outer_result(before, included, inner, blobs) {
        Ok(result) => result,
        // Included without being a pseudo-gradient: no model can follow from it.
        Err(TrainingError::BadBlob { .. } | TrainingError::Gradient(_)) => {
            return Ok(Verdict::Hard(HardReason::Mismatch))
        }
        Err(error) => return missing(error),
    };
    let agrees = model.hash(inner.layout()) == claimed.hash
        && vector_root(&model.params) == claimed.params
        && vector_root(&model.momentum) == claimed.momentum;
    Ok(match agrees {
        true => Verdict::Valid,
        false => Verdict::Hard(HardReason::Mismatch),
    })
}
