# Which packages are built together. Cargo unites the features of dependencies over the packages of one command, so
# every script names the same ones: otherwise burn, the node and the rest are compiled once more for each combination.
worker_packages=(-p chasqui-node -p chasqui-blobs -p chasqui-worker -p chasqui-e2e -p chasqui-engine -p chasqui-audit
  -p chasqui-training -p chasqui-chain -p chasqui-session -p chasqui-gateway)
# The chain's own crates, always with both features.
chain_packages=(-p chasqui-primitives -p chasqui-verifier -p pallet-operators -p pallet-checkpoints -p pallet-jobs
  -p pallet-audits -p pallet-rewards -p pallet-sessions -p pallet-training-fund -p pallet-datasets -p pallet-training
  -p pallet-economy -p pallet-voting
  -p chasqui-runtime -p chasqui-xcm-tests)
chain_features=(--features runtime-benchmarks,try-runtime)
