// RUN: halfstep-opt %s -split-input-file -place-casts -verify-diagnostics

// expected-error @+1 {{the module has no 'amp.policy' attribute: the importer sets it}}
module {
}

// -----

// expected-error @+1 {{op lists 'tpu', expected cpu, cuda or apex}}
module attributes {amp.policy = #amp.policy<name = "bf16-mixed", params = f32, compute = bf16, casts = true,
    lists = "tpu", rounding = "fused", scaler = false, scale = 1.0 : f64>} {
}
