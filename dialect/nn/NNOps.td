// nn: what a model computes, and what its gradients compute. One file a family of ops.

#ifndef HALFSTEP_DIALECT_NN
#define HALFSTEP_DIALECT_NN

include "dialect/nn/NNElementwiseOps.td"
include "dialect/nn/NNContractionOps.td"
include "dialect/nn/NNNormOps.td"
include "dialect/nn/NNPoolOps.td"
include "dialect/nn/NNImageOps.td"
include "dialect/nn/NNLossOps.td"
include "dialect/nn/NNSequenceOps.td"
include "dialect/nn/NNMoveOps.td"
include "dialect/nn/NNFunctionOps.td"
include "dialect/nn/NNLogicOps.td"
include "dialect/nn/NNReduceOps.td"
include "dialect/nn/NNIndexOps.td"

#endif // HALFSTEP_DIALECT_NN
