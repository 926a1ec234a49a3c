//! Speed of each layer of the published networks, in GFLOP of a direct convolution a second.

#![allow(clippy::print_stdout, reason = "it answers whoever runs it")]

use std::time::Instant;

use ipcgan_kernels::{Arithmetic, Convolution, Epilogue, Instructions, Maps, Window, weight_gradient};

fn main() {
    let batch: usize = std::env::args().nth(1).and_then(|s| s.parse().ok()).unwrap_or(8);
    let layers: [(&str, usize, usize, usize, [usize; 5]); 16] = [
        ("G stem 7x7 8>32 @128", 128, 8, 32, [7, 1, 3, 3, 1]),
        ("G down1 3x3s2 32>64", 128, 32, 64, [3, 2, 0, 1, 1]),
        ("G down2 3x3s2 64>128", 64, 64, 128, [3, 2, 0, 1, 1]),
        ("G residual 3x3 128 @32", 32, 128, 128, [3, 1, 1, 1, 1]),
        ("G up1^T 64>128 @64", 64, 64, 128, [3, 2, 0, 1, 1]),
        ("G up2^T 32>64 @128", 128, 32, 64, [3, 2, 0, 1, 1]),
        ("G head 7x7 32>3", 128, 32, 3, [7, 1, 3, 3, 1]),
        ("D stem 4x4s2 3>64", 128, 3, 64, [4, 2, 1, 1, 1]),
        ("D down1 69>128", 64, 69, 128, [4, 2, 1, 1, 1]),
        ("D down2 128>256", 32, 128, 256, [4, 2, 1, 1, 1]),
        ("D patch 4x4 256>512", 16, 256, 512, [4, 1, 1, 2, 1]),
        ("D head 4x4 512>512", 16, 512, 512, [4, 1, 1, 2, 1]),
        ("A conv1 11x11s4 3>96", 227, 3, 96, [11, 4, 0, 0, 1]),
        ("A conv2 5x5g2 96>256", 27, 96, 256, [5, 1, 2, 2, 2]),
        ("A conv3 3x3 256>384", 13, 256, 384, [3, 1, 1, 1, 1]),
        ("A conv5 3x3g2 384>256", 13, 384, 256, [3, 1, 1, 1, 2]),
    ];
    for instructions in [Instructions::best()] {
        println!("batch {batch}: ms (GFLOP/s) of output, input gradient, weight gradient");
        for (name, side, inputs, outputs, [kernel, stride, before, after, groups]) in layers {
            let window = Window { kernel, stride, before, after, groups };
            let maps = Maps { batch, height: side, width: side, channels: inputs };
            let out = window.output_side(side);
            let output = Maps { batch, height: out, width: out, channels: outputs };
            let channels = [outputs, inputs / groups];
            let fill = |n: usize| (0..n).map(|i| ((i * 7919) % 1013) as f32 / 1013.0 - 0.5).collect::<Vec<f32>>();
            let (x, w, g) =
                (fill(maps.values()), fill(outputs * inputs / groups * kernel * kernel), fill(output.values()));
            let gflop = 2.0 * (w.len() * batch * out * out) as f64 / 1e9;
            let e = Epilogue::default();
            print!("{name:24}");
            for arithmetic in [Arithmetic::Direct, Arithmetic::Fast] {
                let time = |f: &dyn Fn()| {
                    f();
                    let mut times: Vec<f64> = (0..5)
                        .map(|_| {
                            let t = Instant::now();
                            f();
                            t.elapsed().as_secs_f64()
                        })
                        .collect();
                    times.sort_by(f64::total_cmp);
                    times[1]
                };
                let f = time(&|| {
                    Convolution::new(instructions, arithmetic, &w, channels, &window, Some(output)).run(
                        &x,
                        maps,
                        [out, out],
                        &e,
                    );
                });
                let b = time(&|| {
                    Convolution::adjoint(instructions, arithmetic, &w, channels, &window, Some(maps)).run(
                        &g,
                        output,
                        [side, side],
                        &e,
                    );
                });
                let d = time(&|| {
                    weight_gradient(instructions, arithmetic, (&x, maps), (&g, output), &window);
                });
                for t in [f, b, d] {
                    print!("{:7.2} ({:3.0})", t * 1e3, gflop / t);
                }
                print!(" | ");
            }
            println!();
        }
    }
}
