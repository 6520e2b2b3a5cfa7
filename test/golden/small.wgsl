// block_experts_router_contract: block.0.experts.router: contract

struct Launch {
  B: i32,
  T: i32,
}
@group(0) @binding(0) var<storage, read> p0: array<f32>;
@group(0) @binding(1) var<storage, read> p1: array<f32>;
@group(0) @binding(2) var<storage, read_write> p2: array<f32>;
@group(0) @binding(3) var<uniform> launch: Launch;

var<workgroup> block: array<f32, 2176>;

fn ceil_of(value: i32, by: i32) -> i32 {
  return value / by + select(0, 1, value % by > 0);
}

fn load4_block(at: i32) -> vec4<f32> {
  return vec4<f32>(block[at], block[at + 1], block[at + 2], block[at + 3]);
}

fn store4_block(at: i32, values: vec4<f32>) {
  block[at] = values.x;
  block[at + 1] = values.y;
  block[at + 2] = values.z;
  block[at + 3] = values.w;
}

fn store4_p2(at: i32, values: vec4<f32>) {
  p2[at] = values.x;
  p2[at + 1] = values.y;
  p2[at + 2] = values.z;
  p2[at + 3] = values.w;
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) invocation_index: u32,
) {
  let workgroup = i32(workgroup_id.x + workgroup_id.y * workgroups.x);
  let invocation = i32(invocation_index);
  if (workgroup >= max(ceil_of(launch.B * launch.T, 128), ceil_of(min(16, launch.B * launch.T), 8))) {
    return;
  }
  if (launch.B * launch.T <= 16) {
    if (workgroup < ceil_of(min(16, launch.B * launch.T), 8)) {
      let rowTile0: i32 = workgroup % ceil_of(min(16, launch.B * launch.T), 8);
      let task0: i32 = workgroup / ceil_of(min(16, launch.B * launch.T), 8);
      let mFrom0: i32 = rowTile0 * 8;
      let slice0: i32 = invocation >> 3u;
      let column0: i32 = invocation & 7;
      let n0: i32 = min(column0, 3);
      let rows0: i32 = launch.B * launch.T - mFrom0;
      var sum0: vec4<f32> = vec4<f32>(0.0);
      var sum1: vec4<f32> = vec4<f32>(0.0);
      let fast0: i32 = invocation & 31;
      let slow0: i32 = invocation >> 5u;
      let row0: i32 = min(mFrom0 + slow0, launch.B * launch.T - 1);
      let row1: i32 = min(mFrom0 + slow0 + 2, launch.B * launch.T - 1);
      let row2: i32 = min(mFrom0 + slow0 + 4, launch.B * launch.T - 1);
      let row3: i32 = min(mFrom0 + slow0 + 6, launch.B * launch.T - 1);
      let weight0: f32 = p1[n0 + slice0 * 4];
      let k0: i32 = slice0 + 8;
      let weight1: f32 = p1[k0 * 4 + n0];
      let k1: i32 = slice0 + 16;
      let weight2: f32 = p1[k1 * 4 + n0];
      let k2: i32 = slice0 + 24;
      let weight3: f32 = p1[k2 * 4 + n0];
      let v4: f32 = p0[fast0 + row0 * 32];
      let v5: f32 = p0[fast0 + row1 * 32];
      let v6: f32 = p0[fast0 + row2 * 32];
      let v7: f32 = p0[fast0 + row3 * 32];
      block[fast0 * 12 + slow0] = v4;
      block[fast0 * 12 + slow0 + 2] = v5;
      block[fast0 * 12 + slow0 + 4] = v6;
      block[fast0 * 12 + slow0 + 6] = v7;
      workgroupBarrier();
      let x8: vec4<f32> = load4_block(slice0 * 12);
      sum0 = fma(vec4<f32>(weight0), x8, sum0);
      let x9: vec4<f32> = load4_block(slice0 * 12 + 96);
      sum0 = fma(vec4<f32>(weight1), x9, sum0);
      let x10: vec4<f32> = load4_block(slice0 * 12 + 192);
      sum0 = fma(vec4<f32>(weight2), x10, sum0);
      let x11: vec4<f32> = load4_block(slice0 * 12 + 288);
      sum0 = fma(vec4<f32>(weight3), x11, sum0);
      if (4 < rows0) {
        let x12: vec4<f32> = load4_block(slice0 * 12 + 4);
        sum1 = fma(vec4<f32>(weight0), x12, sum1);
        let x13: vec4<f32> = load4_block(slice0 * 12 + 100);
        sum1 = fma(vec4<f32>(weight1), x13, sum1);
        let x14: vec4<f32> = load4_block(slice0 * 12 + 196);
        sum1 = fma(vec4<f32>(weight2), x14, sum1);
        let x15: vec4<f32> = load4_block(slice0 * 12 + 292);
        sum1 = fma(vec4<f32>(weight3), x15, sum1);
      }
      workgroupBarrier();
      let row4: i32 = invocation >> 3u;
      let n1: i32 = invocation & 7;
      let m0: i32 = mFrom0 + row4;
      block[column0 * 9 + slice0] = sum0.x;
      block[column0 * 9 + slice0 + 72] = sum0.y;
      block[column0 * 9 + slice0 + 144] = sum0.z;
      block[column0 * 9 + slice0 + 216] = sum0.w;
      block[column0 * 9 + slice0 + 288] = sum1.x;
      block[column0 * 9 + slice0 + 360] = sum1.y;
      block[column0 * 9 + slice0 + 432] = sum1.z;
      block[column0 * 9 + slice0 + 504] = sum1.w;
      workgroupBarrier();
      var total0: f32 = 0.0;
      if (invocation < 64) {
        let base0: i32 = invocation * 9;
        for (var part0: i32 = 0; part0 < 8; part0++) {
          total0 = total0 + block[base0 + part0];
        }
      }
      if ((row4 < rows0) & (row4 < 8) & (n1 < 4)) {
        p2[m0 * 4 + n1] = total0;
      }
    }
  } else {
    if (workgroup < ceil_of(launch.B * launch.T, 128)) {
      let rowTile1: i32 = workgroup % ceil_of(launch.B * launch.T, 128);
      let task1: i32 = workgroup / ceil_of(launch.B * launch.T, 128);
      let mFrom1: i32 = rowTile1 * 128;
      let member0: i32 = invocation & 15;
      let slice1: i32 = invocation >> 4u;
      let rowFour0: i32 = member0 * 4;
      var sum2: vec4<f32> = vec4<f32>(0.0);
      var sum3: vec4<f32> = vec4<f32>(0.0);
      var sum4: vec4<f32> = vec4<f32>(0.0);
      var sum5: vec4<f32> = vec4<f32>(0.0);
      var sum6: vec4<f32> = vec4<f32>(0.0);
      var sum7: vec4<f32> = vec4<f32>(0.0);
      var sum8: vec4<f32> = vec4<f32>(0.0);
      var sum9: vec4<f32> = vec4<f32>(0.0);
      let fast1: i32 = invocation & 3;
      let slow1: i32 = invocation >> 2u;
      for (var k00: i32 = 0; k00 < 32; k00 += 16) {
        for (var round0: i32 = 0; round0 < 32; round0 += 8) {
          let element0: i32 = round0 * 64 + invocation;
          let fast2: i32 = element0 & 15;
          let slow2: i32 = element0 >> 4u;
          let row5: i32 = min(mFrom1 + slow2, launch.B * launch.T - 1);
          let element1: i32 = element0 + 64;
          let fast3: i32 = element1 & 15;
          let slow3: i32 = element1 >> 4u;
          let row6: i32 = min(mFrom1 + slow3, launch.B * launch.T - 1);
          let element2: i32 = element0 + 128;
          let fast4: i32 = element2 & 15;
          let slow4: i32 = element2 >> 4u;
          let row7: i32 = min(mFrom1 + slow4, launch.B * launch.T - 1);
          let element3: i32 = element0 + 192;
          let fast5: i32 = element3 & 15;
          let slow5: i32 = element3 >> 4u;
          let row8: i32 = min(mFrom1 + slow5, launch.B * launch.T - 1);
          let element4: i32 = element0 + 256;
          let fast6: i32 = element4 & 15;
          let slow6: i32 = element4 >> 4u;
          let row9: i32 = min(mFrom1 + slow6, launch.B * launch.T - 1);
          let element5: i32 = element0 + 320;
          let fast7: i32 = element5 & 15;
          let slow7: i32 = element5 >> 4u;
          let row10: i32 = min(mFrom1 + slow7, launch.B * launch.T - 1);
          let element6: i32 = element0 + 384;
          let fast8: i32 = element6 & 15;
          let slow8: i32 = element6 >> 4u;
          let row11: i32 = min(mFrom1 + slow8, launch.B * launch.T - 1);
          let element7: i32 = element0 + 448;
          let fast9: i32 = element7 & 15;
          let slow9: i32 = element7 >> 4u;
          let row12: i32 = min(mFrom1 + slow9, launch.B * launch.T - 1);
          let k3: i32 = k00 + fast2;
          let v16: f32 = p0[k3 + row5 * 32];
          let k4: i32 = k00 + fast3;
          let v17: f32 = p0[k4 + row6 * 32];
          let k5: i32 = k00 + fast4;
          let v18: f32 = p0[k5 + row7 * 32];
          let k6: i32 = k00 + fast5;
          let v19: f32 = p0[k6 + row8 * 32];
          let k7: i32 = k00 + fast6;
          let v20: f32 = p0[k7 + row9 * 32];
          let k8: i32 = k00 + fast7;
          let v21: f32 = p0[k8 + row10 * 32];
          let k9: i32 = k00 + fast8;
          let v22: f32 = p0[k9 + row11 * 32];
          let k10: i32 = k00 + fast9;
          let v23: f32 = p0[k10 + row12 * 32];
          block[fast2 * 132 + slow2] = v16;
          block[fast3 * 132 + slow3] = v17;
          block[fast4 * 132 + slow4] = v18;
          block[fast5 * 132 + slow5] = v19;
          block[fast6 * 132 + slow6] = v20;
          block[fast7 * 132 + slow7] = v21;
          block[fast8 * 132 + slow8] = v22;
          block[fast9 * 132 + slow9] = v23;
        }
        let k11: i32 = k00 + slow1;
        let value0: f32 = p1[fast1 + k11 * 4];
        block[slow1 * 4 + fast1 + 2112] = value0;
        workgroupBarrier();
        let k12: i32 = slice1 * 4;
        let k13_end = k12 + 4;
        for (var k13: i32 = k12; k13 < k13_end; k13++) {
          let a0: vec4<f32> = load4_block(k13 * 132 + rowFour0);
          let a1: vec4<f32> = load4_block(k13 * 132 + rowFour0 + 64);
          let b0: vec4<f32> = load4_block(k13 * 4 + 2112);
          sum2 = fma(vec4<f32>(a0.x), b0, sum2);
          sum3 = fma(vec4<f32>(a0.y), b0, sum3);
          sum4 = fma(vec4<f32>(a0.z), b0, sum4);
          sum5 = fma(vec4<f32>(a0.w), b0, sum5);
          sum6 = fma(vec4<f32>(a1.x), b0, sum6);
          sum7 = fma(vec4<f32>(a1.y), b0, sum7);
          sum8 = fma(vec4<f32>(a1.z), b0, sum8);
          sum9 = fma(vec4<f32>(a1.w), b0, sum9);
        }
        workgroupBarrier();
      }
      if ((2 <= slice1) & (slice1 < 4)) {
        store4_block((slice1 * 128 + member0) * 4 - 1024, sum2);
        store4_block((slice1 * 128 + member0) * 4 - 960, sum3);
        store4_block((slice1 * 128 + member0) * 4 - 896, sum4);
        store4_block((slice1 * 128 + member0) * 4 - 832, sum5);
        store4_block((slice1 * 128 + member0) * 4 - 768, sum6);
        store4_block((slice1 * 128 + member0) * 4 - 704, sum7);
        store4_block((slice1 * 128 + member0) * 4 - 640, sum8);
        store4_block((slice1 * 128 + member0) * 4 - 576, sum9);
      }
      workgroupBarrier();
      if (slice1 < 2) {
        sum2 = sum2 + load4_block((slice1 * 128 + member0) * 4);
        sum3 = sum3 + load4_block((slice1 * 128 + member0) * 4 + 64);
        sum4 = sum4 + load4_block((slice1 * 128 + member0) * 4 + 128);
        sum5 = sum5 + load4_block((slice1 * 128 + member0) * 4 + 192);
        sum6 = sum6 + load4_block((slice1 * 128 + member0) * 4 + 256);
        sum7 = sum7 + load4_block((slice1 * 128 + member0) * 4 + 320);
        sum8 = sum8 + load4_block((slice1 * 128 + member0) * 4 + 384);
        sum9 = sum9 + load4_block((slice1 * 128 + member0) * 4 + 448);
      }
      workgroupBarrier();
      if ((1 <= slice1) & (slice1 < 2)) {
        store4_block((slice1 * 128 + member0) * 4 - 512, sum2);
        store4_block((slice1 * 128 + member0) * 4 - 448, sum3);
        store4_block((slice1 * 128 + member0) * 4 - 384, sum4);
        store4_block((slice1 * 128 + member0) * 4 - 320, sum5);
        store4_block((slice1 * 128 + member0) * 4 - 256, sum6);
        store4_block((slice1 * 128 + member0) * 4 - 192, sum7);
        store4_block((slice1 * 128 + member0) * 4 - 128, sum8);
        store4_block((slice1 * 128 + member0) * 4 - 64, sum9);
      }
      workgroupBarrier();
      if (slice1 < 1) {
        sum2 = sum2 + load4_block((slice1 * 128 + member0) * 4);
        sum3 = sum3 + load4_block((slice1 * 128 + member0) * 4 + 64);
        sum4 = sum4 + load4_block((slice1 * 128 + member0) * 4 + 128);
        sum5 = sum5 + load4_block((slice1 * 128 + member0) * 4 + 192);
        sum6 = sum6 + load4_block((slice1 * 128 + member0) * 4 + 256);
        sum7 = sum7 + load4_block((slice1 * 128 + member0) * 4 + 320);
        sum8 = sum8 + load4_block((slice1 * 128 + member0) * 4 + 384);
        sum9 = sum9 + load4_block((slice1 * 128 + member0) * 4 + 448);
      }
      workgroupBarrier();
      if (slice1 < 1) {
        for (var i0: i32 = 0; i0 < 8; i0++) {
          let m1: i32 = mFrom1 + rowFour0 + (i0 >> 2u) * 64 + (i0 & 3);
          if (m1 < launch.B * launch.T) {
            let total1: vec4<f32> = select(select(select(select(select(select(select(sum9, sum8, i0 == 6), sum7, i0 == 5), sum6, i0 == 4), sum5, i0 == 3), sum4, i0 == 2), sum3, i0 == 1), sum2, i0 == 0);
            let x27: i32 = 0;
            store4_p2(m1 * 4 + x27, total1);
          }
        }
      }
    }
  }
}

// block_experts_router_max_exp_sum_x2_div_choose_le: block.0.experts.router: max, exp, sum x2, div, choose, le

struct Launch {
  B: i32,
  T: i32,
  infinity: f32,
  nan: f32,
}
@group(0) @binding(0) var<storage, read> p0: array<f32>;
@group(0) @binding(1) var<storage, read_write> p1: array<i32>;
@group(0) @binding(2) var<storage, read_write> p2: array<f32>;
@group(0) @binding(3) var<uniform> launch: Launch;

var<workgroup> s0: array<f32, 256>;
var<workgroup> s1: array<f32, 256>;
var<workgroup> s2: array<i32, 128>;
var<workgroup> s3: array<i32, 128>;
var<workgroup> s4: array<f32, 128>;

fn ceil_of(value: i32, by: i32) -> i32 {
  return value / by + select(0, 1, value % by > 0);
}

fn is_nan(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn larger(a: f32, b: f32) -> f32 {
  return select(a, b, is_nan(a) | ((b > a) & !is_nan(b)));
}

/// 2^n for -127 <= n <= 127; 0 for -127.
fn power_of_two(n: i32) -> f32 {
  return bitcast<f32>((n + 127) << 23u);
}

/// In two halves, because 2^128 is no number.
fn exp_of(x: f32) -> f32 {
  let bounded = select(select(x, 89.0, x > 89.0), -87.0, x < -87.0);
  let n = round(bounded * 1.442695);
  let r = fma(n, 2.1219444e-4, fma(n, -0.693359375, bounded));
  let tail = fma(fma(fma(fma(fma(0.000198756915, r, 0.0013981999507), r, 0.0083334519073), r, 0.041665795894), r, 0.16666665459), r, 0.50000001201);
  let half = (fma(tail, r * r, r) + 1.0) * power_of_two(i32(n) - 1);
  return select(select(half + half, 0.0, x < -86.9), x, is_nan(x));
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) invocation_index: u32,
) {
  let workgroup = i32(workgroup_id.x + workgroup_id.y * workgroups.x);
  let invocation = i32(invocation_index);
  if (workgroup >= ceil_of(launch.B * launch.T, 64)) {
    return;
  }
  let f0: i32 = workgroup * 64;
  let n0: i32 = launch.B * launch.T - f0;
  let x1: i32 = invocation;
  if (invocation < n0) {
    let x0: i32 = f0 + invocation;
    var a0: f32 = (-launch.infinity);
    for (var i0: i32 = 0; i0 < 4; i0++) {
      let v0: f32 = p0[i0 + x0 * 4];
      a0 = larger(a0, v0);
    }
    for (var i1: i32 = 0; i1 < 4; i1++) {
      let v1: f32 = p0[i1 + x0 * 4];
      let v2: f32 = exp_of(v1 - a0);
      s0[i1 * 64 + x1] = v2;
    }
    var a1: f32 = 0.0;
    for (var i2: i32 = 0; i2 < 4; i2++) {
      a1 = a1 + s0[i2 * 64 + x1];
    }
    for (var i3: i32 = 0; i3 < 4; i3++) {
      let v3: f32 = s0[i3 * 64 + x1] / a1;
      s1[i3 * 64 + x1] = v3;
    }
    var a2: f32 = (-launch.infinity);
    var a3: i32 = i32(-1);
    var a4: f32 = (-launch.infinity);
    var a5: i32 = i32(-1);
    for (var i4: i32 = 0; i4 < 4; i4++) {
      let v4: f32 = s1[i4 * 64 + x1];
      if (a4 < v4) {
        let v5: bool = a4 < v4;
        a4 = select(a4, select(v4, a2, a2 < v4), v5);
        a5 = select(a5, select(i4, a3, a2 < v4), v5);
        let v6: bool = a2 < v4;
        a2 = select(a2, v4, v6);
        a3 = select(a3, i4, v6);
      }
    }
    p1[x0 * 2] = a3;
    s2[x1] = a3;
    p1[x0 * 2 + 1] = a5;
    s2[x1 + 64] = a5;
    let v7: bool = 0 <= s2[x1];
    s3[x1] = i32(v7);
    let v8: bool = 0 <= s2[x1 + 64];
    s3[x1 + 64] = i32(v8);
    let x2: i32 = max(0, min(s2[x1], 3));
    let v9: f32 = select(0.0, s1[x2 * 64 + x1], (0 <= s2[x1]) & (s2[x1] < 4));
    s4[x1] = v9;
    let x3: i32 = max(0, min(s2[x1 + 64], 3));
    let v10: f32 = select(0.0, s1[x3 * 64 + x1], (0 <= s2[x1 + 64]) & (s2[x1 + 64] < 4));
    s4[x1 + 64] = v10;
    var a6: f32 = 0.0;
    a6 = a6 + select(0.0, s4[x1], s3[x1] != 0);
    a6 = a6 + select(0.0, s4[x1 + 64], s3[x1 + 64] != 0);
    p2[x0 * 2] = select(0.0, s4[x1] / a6, s3[x1] != 0);
    p2[x0 * 2 + 1] = select(0.0, s4[x1 + 64] / a6, s3[x1 + 64] != 0);
  }
}

// block_experts_router_route_counts: block.0.experts.router: route counts

struct Launch {
  B: i32,
  T: i32,
}
@group(0) @binding(0) var<storage, read> p0: array<i32>;
@group(0) @binding(1) var<storage, read_write> p1: array<i32>;
@group(0) @binding(2) var<uniform> launch: Launch;

var<workgroup> s0: array<i32, 512>;

fn ceil_of(value: i32, by: i32) -> i32 {
  return value / by + select(0, 1, value % by > 0);
}

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) invocation_index: u32,
) {
  let workgroup = i32(workgroup_id.x + workgroup_id.y * workgroups.x);
  let invocation = i32(invocation_index);
  if (workgroup >= ceil_of(2 * launch.B * launch.T, 512)) {
    return;
  }
  let f0: i32 = workgroup * 512;
  for (var p0_2: i32 = invocation; p0_2 < 512; p0_2 += 256) {
    let v0: i32 = f0 + p0_2;
    var g0: i32 = i32(-1);
    if (v0 < 2 * launch.B * launch.T) {
      let x0: i32 = v0;
      let v1: i32 = p0[x0];
      g0 = select(i32(-1), v1, (0 <= v1) & (v1 < 4));
    }
    s0[p0_2] = g0;
  }
  workgroupBarrier();
  let n0: i32 = min(512, 2 * launch.B * launch.T - f0);
  let f1: i32 = workgroup * 4;
  for (var g1: i32 = invocation; g1 < 4; g1 += 256) {
    var a0: i32 = 0;
    for (var q0: i32 = 0; q0 < n0; q0++) {
      a0 = a0 + select(0, 1, s0[q0] == g1);
    }
    p1[f1 + g1] = a0;
  }
}

// block_experts_router_route: block.0.experts.router: route

struct Launch {
  B: i32,
  T: i32,
}
@group(0) @binding(0) var<storage, read> p0: array<i32>;
@group(0) @binding(1) var<storage, read> p1: array<i32>;
@group(0) @binding(2) var<storage, read_write> p2: array<i32>;
@group(0) @binding(3) var<storage, read_write> p3: array<i32>;
@group(0) @binding(4) var<storage, read_write> p4: array<i32>;
@group(0) @binding(5) var<uniform> launch: Launch;

var<workgroup> s0: array<i32, 512>;
var<workgroup> s1: array<i32, 4>;
var<workgroup> s2: array<i32, 4>;
var<workgroup> s3: array<i32, 512>;

fn ceil_of(value: i32, by: i32) -> i32 {
  return value / by + select(0, 1, value % by > 0);
}

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) invocation_index: u32,
) {
  let workgroup = i32(workgroup_id.x + workgroup_id.y * workgroups.x);
  let invocation = i32(invocation_index);
  if (workgroup >= ceil_of(2 * launch.B * launch.T, 512)) {
    return;
  }
  let f0: i32 = workgroup * 512;
  for (var p0_2: i32 = invocation; p0_2 < 512; p0_2 += 256) {
    let v0: i32 = f0 + p0_2;
    var g0: i32 = i32(-1);
    if (v0 < 2 * launch.B * launch.T) {
      let x0: i32 = v0;
      let v1: i32 = p0[x0];
      g0 = select(i32(-1), v1, (0 <= v1) & (v1 < 4));
    }
    s0[p0_2] = g0;
  }
  workgroupBarrier();
  let n0: i32 = min(512, 2 * launch.B * launch.T - f0);
  for (var g1: i32 = invocation; g1 < 4; g1 += 256) {
    var a0: i32 = 0;
    var a1: i32 = 0;
    for (var b0: i32 = 0; b0 < ceil_of(2 * launch.B * launch.T, 512); b0++) {
      let v2: i32 = p1[b0 * 4 + g1];
      a0 = a0 + select(0, v2, b0 < workgroup);
      a1 = a1 + v2;
    }
    s1[g1] = a1;
    s2[g1] = a0;
  }
  workgroupBarrier();
  let f1: i32 = min(invocation, 4);
  let e0: i32 = min(f1 + 1, 4);
  var a2: i32 = 0;
  for (var g2: i32 = f1; g2 < e0; g2++) {
    a2 = a2 + s1[g2];
  }
  s3[invocation] = a2;
  workgroupBarrier();
  let v3: i32 = s3[invocation] + select(0, s3[max(invocation - 1, 0)], 1 <= invocation);
  s3[256 + invocation] = v3;
  workgroupBarrier();
  let v4: i32 = s3[256 + invocation] + select(0, s3[256 + max(invocation - 2, 0)], 2 <= invocation);
  s3[invocation] = v4;
  workgroupBarrier();
  let v5: i32 = s3[invocation] + select(0, s3[max(invocation - 4, 0)], 4 <= invocation);
  s3[256 + invocation] = v5;
  workgroupBarrier();
  let v6: i32 = s3[256 + invocation] + select(0, s3[256 + max(invocation - 8, 0)], 8 <= invocation);
  s3[invocation] = v6;
  workgroupBarrier();
  let v7: i32 = s3[invocation] + select(0, s3[max(invocation - 16, 0)], 16 <= invocation);
  s3[256 + invocation] = v7;
  workgroupBarrier();
  let v8: i32 = s3[256 + invocation] + select(0, s3[256 + max(invocation - 32, 0)], 32 <= invocation);
  s3[invocation] = v8;
  workgroupBarrier();
  let v9: i32 = s3[invocation] + select(0, s3[max(invocation - 64, 0)], 64 <= invocation);
  s3[256 + invocation] = v9;
  workgroupBarrier();
  let v10: i32 = s3[256 + invocation] + select(0, s3[256 + max(invocation - 128, 0)], 128 <= invocation);
  s3[invocation] = v10;
  workgroupBarrier();
  let v11: i32 = select(0, s3[max(invocation - 1, 0)], 1 <= invocation);
  let v12: i32 = s3[invocation];
  let v13: i32 = s3[255];
  var a3: i32 = v11;
  for (var g3: i32 = f1; g3 < e0; g3++) {
    let v14: i32 = s1[g3];
    s1[g3] = a3;
    a3 = a3 + v14;
  }
  workgroupBarrier();
  if (workgroup == 0) {
    for (var g4: i32 = invocation; g4 < 4; g4 += 256) {
      p2[g4] = s1[g4];
    }
    if (invocation == 0) {
      p2[4] = v13;
    }
  }
  for (var p1_2: i32 = invocation; p1_2 < n0; p1_2 += 256) {
    let g5: i32 = s0[p1_2];
    let x1: i32 = f0 + p1_2;
    if (0 <= g5) {
      var a4: i32 = 0;
      for (var q0: i32 = 0; q0 < p1_2; q0++) {
        a4 = a4 + select(0, 1, s0[q0] == g5);
      }
      let x2: i32 = s1[g5] + a4 + s2[g5];
      p3[x2] = x1;
      p4[x1] = x2;
    } else {
      p4[x1] = i32(-1);
    }
  }
}

// block_experts_routed_contract_x2_mul: block.0.experts.routed: contract x2, mul

struct Launch {
  B: i32,
  T: i32,
}
@group(0) @binding(0) var<storage, read> p0: array<i32>;
@group(0) @binding(1) var<storage, read> p1: array<i32>;
@group(0) @binding(2) var<storage, read> p2: array<f32>;
@group(0) @binding(3) var<storage, read> p3: array<f32>;
@group(0) @binding(4) var<storage, read> p4: array<f32>;
@group(0) @binding(5) var<storage, read_write> p5: array<f32>;
@group(0) @binding(6) var<uniform> launch: Launch;

var<workgroup> block: array<f32, 3136>;

fn floor_of(value: i32, by: i32) -> i32 {
  return value / by - select(0, 1, value % by < 0);
}

fn is_nan4(x: vec4<f32>) -> vec4<bool> {
  return (bitcast<vec4<u32>>(x) & vec4<u32>(0x7fffffffu)) > vec4<u32>(0x7f800000u);
}

/// 2^n for -127 <= n <= 127; 0 for -127.
fn power_of_two4(n: vec4<i32>) -> vec4<f32> {
  return bitcast<vec4<f32>>((n + vec4<i32>(127)) << vec4<u32>(23u));
}

/// In two halves, because 2^128 is no number.
fn exp_of4(x: vec4<f32>) -> vec4<f32> {
  let bounded = select(select(x, vec4<f32>(89.0), x > vec4<f32>(89.0)), vec4<f32>(-87.0), x < vec4<f32>(-87.0));
  let n = round(bounded * vec4<f32>(1.442695));
  let r = fma(n, vec4<f32>(2.1219444e-4), fma(n, vec4<f32>(-0.693359375), bounded));
  let tail = fma(fma(fma(fma(fma(vec4<f32>(0.000198756915), r, vec4<f32>(0.0013981999507)), r, vec4<f32>(0.0083334519073)), r, vec4<f32>(0.041665795894)), r, vec4<f32>(0.16666665459)), r, vec4<f32>(0.50000001201));
  let half = (fma(tail, r * r, r) + vec4<f32>(1.0)) * power_of_two4(vec4<i32>(n) - vec4<i32>(1));
  return select(select(half + half, vec4<f32>(0.0), x < vec4<f32>(-86.9)), x, is_nan4(x));
}

fn is_nan(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

/// 2^n for -127 <= n <= 127; 0 for -127.
fn power_of_two(n: i32) -> f32 {
  return bitcast<f32>((n + 127) << 23u);
}

/// In two halves, because 2^128 is no number.
fn exp_of(x: f32) -> f32 {
  let bounded = select(select(x, 89.0, x > 89.0), -87.0, x < -87.0);
  let n = round(bounded * 1.442695);
  let r = fma(n, 2.1219444e-4, fma(n, -0.693359375, bounded));
  let tail = fma(fma(fma(fma(fma(0.000198756915, r, 0.0013981999507), r, 0.0083334519073), r, 0.041665795894), r, 0.16666665459), r, 0.50000001201);
  let half = (fma(tail, r * r, r) + 1.0) * power_of_two(i32(n) - 1);
  return select(select(half + half, 0.0, x < -86.9), x, is_nan(x));
}

fn load4_block(at: i32) -> vec4<f32> {
  return vec4<f32>(block[at], block[at + 1], block[at + 2], block[at + 3]);
}

fn store4_p5(at: i32, values: vec4<f32>) {
  p5[at] = values.x;
  p5[at + 1] = values.y;
  p5[at + 2] = values.z;
  p5[at + 3] = values.w;
}

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) invocation_index: u32,
) {
  let workgroup = i32(workgroup_id.x + workgroup_id.y * workgroups.x);
  let invocation = i32(invocation_index);
  if (workgroup >= max(8 * min(floor_of(min(2 * launch.B * launch.T, 32), 8) + 4, min(2 * launch.B * launch.T, 32)), floor_of(2 * launch.B * launch.T, 64) + 4)) {
    return;
  }
  if (2 * launch.B * launch.T <= 32) {
    if (workgroup < 8 * min(floor_of(min(2 * launch.B * launch.T, 32), 8) + 4, min(2 * launch.B * launch.T, 32))) {
      let tile0: i32 = workgroup % (min(floor_of(min(2 * launch.B * launch.T, 32), 8) + 4, min(2 * launch.B * launch.T, 32)) * 8);
      let task0: i32 = workgroup / (min(floor_of(min(2 * launch.B * launch.T, 32), 8) + 4, min(2 * launch.B * launch.T, 32)) * 8);
      let firstRow0: i32 = (tile0 >> 6u) * 8;
      let height0: i32 = min(8, min(floor_of(min(2 * launch.B * launch.T, 32), 8) + 4, min(2 * launch.B * launch.T, 32)) - firstRow0);
      let within0: i32 = tile0 & 63;
      let rowTile0: i32 = firstRow0 + within0 % height0;
      let columnTile0: i32 = within0 / height0;
      let byRow0: bool = 2 * launch.B * launch.T <= ((2 * launch.B * launch.T) >> 3u) + 4;
      let first0: i32 = p0[2];
      let group0: i32 = select(0, 2, select((first0 >> 3u) + 2, first0, byRow0) <= rowTile0);
      let probe0: i32 = min(group0 + 1, 3);
      let first1: i32 = p0[probe0];
      let group1: i32 = select(group0, probe0, select((first1 >> 3u) + probe0, first1, byRow0) <= rowTile0);
      let groupFrom0: i32 = p0[group1];
      let x0: i32 = group1 + 1;
      let groupEnd0: i32 = p0[x0];
      let number0: i32 = rowTile0 - select((groupFrom0 >> 3u) + group1, groupFrom0, byRow0);
      let mFrom0: i32 = groupFrom0 + select(number0 * 8, number0, byRow0);
      if ((!byRow0 | ((number0 & 7) == 0)) & (mFrom0 < groupEnd0)) {
        let slice0: i32 = invocation >> 3u;
        let column0: i32 = invocation & 7;
        let nFrom0: i32 = columnTile0 * 8;
        let n0: i32 = nFrom0 + column0;
        let rows0: i32 = groupEnd0 - mFrom0;
        var sum0: vec4<f32> = vec4<f32>(0.0);
        var sum1: vec4<f32> = vec4<f32>(0.0);
        var sum2: vec4<f32> = vec4<f32>(0.0);
        var sum3: vec4<f32> = vec4<f32>(0.0);
        let fast0: i32 = invocation & 31;
        let slow0: i32 = invocation >> 5u;
        let row0: i32 = min(mFrom0 + slow0, groupEnd0 - 1);
        let v0: i32 = p1[row0];
        let x2: i32 = v0 >> 1u;
        let weight0: f32 = p3[group1 * 2048 + n0 + slice0 * 64];
        let weight1: f32 = p4[group1 * 2048 + n0 + slice0 * 64];
        let v2: f32 = p2[x2 * 32 + fast0];
        block[fast0 * 12 + slow0] = v2;
        workgroupBarrier();
        let x5: vec4<f32> = load4_block(slice0 * 12);
        sum0 = fma(vec4<f32>(weight0), x5, sum0);
        sum2 = fma(vec4<f32>(weight1), x5, sum2);
        if (4 < rows0) {
          let x6: vec4<f32> = load4_block(slice0 * 12 + 4);
          sum1 = fma(vec4<f32>(weight0), x6, sum1);
          sum3 = fma(vec4<f32>(weight1), x6, sum3);
        }
        workgroupBarrier();
        let row1: i32 = invocation >> 3u;
        let n1: i32 = nFrom0 + (invocation & 7);
        let m0: i32 = mFrom0 + row1;
        block[column0 * 33 + slice0] = sum0.x;
        block[column0 * 33 + slice0 + 264] = sum0.y;
        block[column0 * 33 + slice0 + 528] = sum0.z;
        block[column0 * 33 + slice0 + 792] = sum0.w;
        block[column0 * 33 + slice0 + 1056] = sum1.x;
        block[column0 * 33 + slice0 + 1320] = sum1.y;
        block[column0 * 33 + slice0 + 1584] = sum1.z;
        block[column0 * 33 + slice0 + 1848] = sum1.w;
        workgroupBarrier();
        var total0: f32 = 0.0;
        if (invocation < 64) {
          let base0: i32 = invocation * 33;
          for (var part0: i32 = 0; part0 < 32; part0++) {
            total0 = total0 + block[base0 + part0];
          }
        }
        workgroupBarrier();
        block[column0 * 33 + slice0] = sum2.x;
        block[column0 * 33 + slice0 + 264] = sum2.y;
        block[column0 * 33 + slice0 + 528] = sum2.z;
        block[column0 * 33 + slice0 + 792] = sum2.w;
        block[column0 * 33 + slice0 + 1056] = sum3.x;
        block[column0 * 33 + slice0 + 1320] = sum3.y;
        block[column0 * 33 + slice0 + 1584] = sum3.z;
        block[column0 * 33 + slice0 + 1848] = sum3.w;
        workgroupBarrier();
        var total1: f32 = 0.0;
        if (invocation < 64) {
          let base1: i32 = invocation * 33;
          for (var part1: i32 = 0; part1 < 32; part1++) {
            total1 = total1 + block[base1 + part1];
          }
        }
        if ((row1 < rows0) & (row1 < 8) & (n1 < 64)) {
          p5[m0 * 64 + n1] = total0 * (1.0 / (1.0 + exp_of(-total0))) * total1;
        }
      }
    }
  } else {
    if (workgroup < floor_of(2 * launch.B * launch.T, 64) + 4) {
      let rowTile1: i32 = workgroup % (floor_of(2 * launch.B * launch.T, 64) + 4);
      let task1: i32 = workgroup / (floor_of(2 * launch.B * launch.T, 64) + 4);
      let first2: i32 = p0[2];
      let group2: i32 = select(0, 2, (first2 >> 6u) + 2 <= rowTile1);
      let probe1: i32 = min(group2 + 1, 3);
      let first3: i32 = p0[probe1];
      let group3: i32 = select(group2, probe1, (first3 >> 6u) + probe1 <= rowTile1);
      let groupFrom1: i32 = p0[group3];
      let x8: i32 = group3 + 1;
      let groupEnd1: i32 = p0[x8];
      let number1: i32 = rowTile1 - ((groupFrom1 >> 6u) + group3);
      let mFrom1: i32 = groupFrom1 + number1 * 64;
      if (mFrom1 < groupEnd1) {
        let rowFour0: i32 = (invocation >> 4u) * 4;
        let columnFour0: i32 = (invocation & 15) * 4;
        var sum4: vec4<f32> = vec4<f32>(0.0);
        var sum5: vec4<f32> = vec4<f32>(0.0);
        var sum6: vec4<f32> = vec4<f32>(0.0);
        var sum7: vec4<f32> = vec4<f32>(0.0);
        var sum8: vec4<f32> = vec4<f32>(0.0);
        var sum9: vec4<f32> = vec4<f32>(0.0);
        var sum10: vec4<f32> = vec4<f32>(0.0);
        var sum11: vec4<f32> = vec4<f32>(0.0);
        let fast1: i32 = invocation & 15;
        let slow1: i32 = invocation >> 4u;
        let row2: i32 = min(mFrom1 + slow1, groupEnd1 - 1);
        let v3: i32 = p1[row2];
        let x10: i32 = v3 >> 1u;
        let row3: i32 = min(mFrom1 + slow1 + 16, groupEnd1 - 1);
        let v5: i32 = p1[row3];
        let x12: i32 = v5 >> 1u;
        let row4: i32 = min(mFrom1 + slow1 + 32, groupEnd1 - 1);
        let v7: i32 = p1[row4];
        let x14: i32 = v7 >> 1u;
        let row5: i32 = min(mFrom1 + slow1 + 48, groupEnd1 - 1);
        let v9: i32 = p1[row5];
        let x16: i32 = v9 >> 1u;
        let fast2: i32 = invocation & 63;
        let slow2: i32 = invocation >> 6u;
        let fast3: i32 = invocation & 63;
        let slow3: i32 = invocation >> 6u;
        for (var k00: i32 = 0; k00 < 32; k00 += 16) {
          let k0: i32 = k00 + fast1;
          let v11: f32 = p2[x10 * 32 + k0];
          let k1: i32 = k00 + fast1;
          let v12: f32 = p2[x12 * 32 + k1];
          let k2: i32 = k00 + fast1;
          let v13: f32 = p2[x14 * 32 + k2];
          let k3: i32 = k00 + fast1;
          let v14: f32 = p2[x16 * 32 + k3];
          block[fast1 * 68 + slow1] = v11;
          block[fast1 * 68 + slow1 + 16] = v12;
          block[fast1 * 68 + slow1 + 32] = v13;
          block[fast1 * 68 + slow1 + 48] = v14;
          let k4: i32 = k00 + slow2;
          let value0: f32 = p3[fast2 + group3 * 2048 + k4 * 64];
          let k5: i32 = k00 + slow2 + 4;
          let value1: f32 = p3[fast2 + group3 * 2048 + k5 * 64];
          let k6: i32 = k00 + slow2 + 8;
          let value2: f32 = p3[fast2 + group3 * 2048 + k6 * 64];
          let k7: i32 = k00 + slow2 + 12;
          let value3: f32 = p3[fast2 + group3 * 2048 + k7 * 64];
          block[slow2 * 64 + fast2 + 1088] = value0;
          block[slow2 * 64 + fast2 + 1344] = value1;
          block[slow2 * 64 + fast2 + 1600] = value2;
          block[slow2 * 64 + fast2 + 1856] = value3;
          let k8: i32 = k00 + slow3;
          let value4: f32 = p4[fast3 + group3 * 2048 + k8 * 64];
          let k9: i32 = k00 + slow3 + 4;
          let value5: f32 = p4[fast3 + group3 * 2048 + k9 * 64];
          let k10: i32 = k00 + slow3 + 8;
          let value6: f32 = p4[fast3 + group3 * 2048 + k10 * 64];
          let k11: i32 = k00 + slow3 + 12;
          let value7: f32 = p4[fast3 + group3 * 2048 + k11 * 64];
          block[slow3 * 64 + fast3 + 2112] = value4;
          block[slow3 * 64 + fast3 + 2368] = value5;
          block[slow3 * 64 + fast3 + 2624] = value6;
          block[slow3 * 64 + fast3 + 2880] = value7;
          workgroupBarrier();
          for (var k12: i32 = 0; k12 < 16; k12++) {
            let a0: vec4<f32> = load4_block(k12 * 68 + rowFour0);
            let b0: vec4<f32> = load4_block(k12 * 64 + columnFour0 + 1088);
            sum4 = fma(vec4<f32>(a0.x), b0, sum4);
            sum5 = fma(vec4<f32>(a0.y), b0, sum5);
            sum6 = fma(vec4<f32>(a0.z), b0, sum6);
            sum7 = fma(vec4<f32>(a0.w), b0, sum7);
            let b1: vec4<f32> = load4_block(k12 * 64 + columnFour0 + 2112);
            sum8 = fma(vec4<f32>(a0.x), b1, sum8);
            sum9 = fma(vec4<f32>(a0.y), b1, sum9);
            sum10 = fma(vec4<f32>(a0.z), b1, sum10);
            sum11 = fma(vec4<f32>(a0.w), b1, sum11);
          }
          workgroupBarrier();
        }
        for (var i0: i32 = 0; i0 < 4; i0++) {
          let m1: i32 = mFrom1 + rowFour0 + i0;
          if (m1 < groupEnd1) {
            let total2: vec4<f32> = select(select(select(sum7, sum6, i0 == 2), sum5, i0 == 1), sum4, i0 == 0);
            let total3: vec4<f32> = select(select(select(sum11, sum10, i0 == 2), sum9, i0 == 1), sum8, i0 == 0);
            store4_p5(columnFour0 + m1 * 64, total2 * (vec4<f32>(1.0) / (vec4<f32>(1.0) + exp_of4(-total2))) * total3);
          }
        }
      }
    }
  }
}

// block_experts_routed_contract_mul: block.0.experts.routed: contract, mul

struct Launch {
  B: i32,
  T: i32,
}
@group(0) @binding(0) var<storage, read> p0: array<i32>;
@group(0) @binding(1) var<storage, read> p1: array<f32>;
@group(0) @binding(2) var<storage, read> p2: array<f32>;
@group(0) @binding(3) var<storage, read> p3: array<i32>;
@group(0) @binding(4) var<storage, read> p4: array<f32>;
@group(0) @binding(5) var<storage, read_write> p5: array<f32>;
@group(0) @binding(6) var<uniform> launch: Launch;

var<workgroup> block: array<f32, 4096>;

fn floor_of(value: i32, by: i32) -> i32 {
  return value / by - select(0, 1, value % by < 0);
}

fn load4_block(at: i32) -> vec4<f32> {
  return vec4<f32>(block[at], block[at + 1], block[at + 2], block[at + 3]);
}

fn store4_block(at: i32, values: vec4<f32>) {
  block[at] = values.x;
  block[at + 1] = values.y;
  block[at + 2] = values.z;
  block[at + 3] = values.w;
}

fn store4_p5(at: i32, values: vec4<f32>) {
  p5[at] = values.x;
  p5[at + 1] = values.y;
  p5[at + 2] = values.z;
  p5[at + 3] = values.w;
}

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) invocation_index: u32,
) {
  let workgroup = i32(workgroup_id.x + workgroup_id.y * workgroups.x);
  let invocation = i32(invocation_index);
  if (workgroup >= max(4 * min(floor_of(min(2 * launch.B * launch.T, 32), 8) + 4, min(2 * launch.B * launch.T, 32)), floor_of(2 * launch.B * launch.T, 64) + 4)) {
    return;
  }
  if (2 * launch.B * launch.T <= 32) {
    if (workgroup < 4 * min(floor_of(min(2 * launch.B * launch.T, 32), 8) + 4, min(2 * launch.B * launch.T, 32))) {
      let tile0: i32 = workgroup % (min(floor_of(min(2 * launch.B * launch.T, 32), 8) + 4, min(2 * launch.B * launch.T, 32)) * 4);
      let task0: i32 = workgroup / (min(floor_of(min(2 * launch.B * launch.T, 32), 8) + 4, min(2 * launch.B * launch.T, 32)) * 4);
      let firstRow0: i32 = (tile0 >> 5u) * 8;
      let height0: i32 = min(8, min(floor_of(min(2 * launch.B * launch.T, 32), 8) + 4, min(2 * launch.B * launch.T, 32)) - firstRow0);
      let within0: i32 = tile0 & 31;
      let rowTile0: i32 = firstRow0 + within0 % height0;
      let columnTile0: i32 = within0 / height0;
      let byRow0: bool = 2 * launch.B * launch.T <= ((2 * launch.B * launch.T) >> 3u) + 4;
      let first0: i32 = p0[2];
      let group0: i32 = select(0, 2, select((first0 >> 3u) + 2, first0, byRow0) <= rowTile0);
      let probe0: i32 = min(group0 + 1, 3);
      let first1: i32 = p0[probe0];
      let group1: i32 = select(group0, probe0, select((first1 >> 3u) + probe0, first1, byRow0) <= rowTile0);
      let groupFrom0: i32 = p0[group1];
      let x0: i32 = group1 + 1;
      let groupEnd0: i32 = p0[x0];
      let number0: i32 = rowTile0 - select((groupFrom0 >> 3u) + group1, groupFrom0, byRow0);
      let mFrom0: i32 = groupFrom0 + select(number0 * 8, number0, byRow0);
      if ((!byRow0 | ((number0 & 7) == 0)) & (mFrom0 < groupEnd0)) {
        let slice0: i32 = invocation >> 3u;
        let column0: i32 = invocation & 7;
        let nFrom0: i32 = columnTile0 * 8;
        let n0: i32 = nFrom0 + column0;
        let rows0: i32 = groupEnd0 - mFrom0;
        var sum0: vec4<f32> = vec4<f32>(0.0);
        var sum1: vec4<f32> = vec4<f32>(0.0);
        let fast0: i32 = invocation & 63;
        let slow0: i32 = invocation >> 6u;
        let row0: i32 = min(mFrom0 + slow0, groupEnd0 - 1);
        let row1: i32 = min(mFrom0 + slow0 + 4, groupEnd0 - 1);
        let weight0: f32 = p2[group1 * 2048 + n0 + slice0 * 32];
        let k0: i32 = slice0 + 32;
        let weight1: f32 = p2[group1 * 2048 + k0 * 32 + n0];
        let value0: f32 = p1[fast0 + row0 * 64];
        let value1: f32 = p1[fast0 + row1 * 64];
        block[fast0 * 12 + slow0] = value0;
        block[fast0 * 12 + slow0 + 4] = value1;
        workgroupBarrier();
        let x5: vec4<f32> = load4_block(slice0 * 12);
        sum0 = fma(vec4<f32>(weight0), x5, sum0);
        let x6: vec4<f32> = load4_block(slice0 * 12 + 384);
        sum0 = fma(vec4<f32>(weight1), x6, sum0);
        if (4 < rows0) {
          let x7: vec4<f32> = load4_block(slice0 * 12 + 4);
          sum1 = fma(vec4<f32>(weight0), x7, sum1);
          let x8: vec4<f32> = load4_block(slice0 * 12 + 388);
          sum1 = fma(vec4<f32>(weight1), x8, sum1);
        }
        workgroupBarrier();
        let row2: i32 = invocation >> 3u;
        let n1: i32 = nFrom0 + (invocation & 7);
        let m0: i32 = mFrom0 + row2;
        block[column0 * 33 + slice0] = sum0.x;
        block[column0 * 33 + slice0 + 264] = sum0.y;
        block[column0 * 33 + slice0 + 528] = sum0.z;
        block[column0 * 33 + slice0 + 792] = sum0.w;
        block[column0 * 33 + slice0 + 1056] = sum1.x;
        block[column0 * 33 + slice0 + 1320] = sum1.y;
        block[column0 * 33 + slice0 + 1584] = sum1.z;
        block[column0 * 33 + slice0 + 1848] = sum1.w;
        workgroupBarrier();
        var total0: f32 = 0.0;
        if (invocation < 64) {
          let base0: i32 = invocation * 33;
          for (var part0: i32 = 0; part0 < 32; part0++) {
            total0 = total0 + block[base0 + part0];
          }
        }
        if ((row2 < rows0) & (row2 < 8) & (n1 < 32)) {
          let v0: i32 = p3[m0];
          let v1: f32 = p4[v0];
          p5[m0 * 32 + n1] = total0 * v1;
        }
      }
    }
  } else {
    if (workgroup < floor_of(2 * launch.B * launch.T, 64) + 4) {
      let rowTile1: i32 = workgroup % (floor_of(2 * launch.B * launch.T, 64) + 4);
      let task1: i32 = workgroup / (floor_of(2 * launch.B * launch.T, 64) + 4);
      let first2: i32 = p0[2];
      let group2: i32 = select(0, 2, (first2 >> 6u) + 2 <= rowTile1);
      let probe1: i32 = min(group2 + 1, 3);
      let first3: i32 = p0[probe1];
      let group3: i32 = select(group2, probe1, (first3 >> 6u) + probe1 <= rowTile1);
      let groupFrom1: i32 = p0[group3];
      let x10: i32 = group3 + 1;
      let groupEnd1: i32 = p0[x10];
      let number1: i32 = rowTile1 - ((groupFrom1 >> 6u) + group3);
      let mFrom1: i32 = groupFrom1 + number1 * 64;
      if (mFrom1 < groupEnd1) {
        let member0: i32 = invocation & 63;
        let slice1: i32 = invocation >> 6u;
        let rowFour0: i32 = (member0 >> 3u) * 4;
        let columnFour0: i32 = (member0 & 7) * 4;
        var sum2: vec4<f32> = vec4<f32>(0.0);
        var sum3: vec4<f32> = vec4<f32>(0.0);
        var sum4: vec4<f32> = vec4<f32>(0.0);
        var sum5: vec4<f32> = vec4<f32>(0.0);
        var sum6: vec4<f32> = vec4<f32>(0.0);
        var sum7: vec4<f32> = vec4<f32>(0.0);
        var sum8: vec4<f32> = vec4<f32>(0.0);
        var sum9: vec4<f32> = vec4<f32>(0.0);
        let fast1: i32 = invocation & 31;
        let slow1: i32 = invocation >> 5u;
        let row3: i32 = min(mFrom1 + slow1, groupEnd1 - 1);
        let row4: i32 = min(mFrom1 + slow1 + 8, groupEnd1 - 1);
        let row5: i32 = min(mFrom1 + slow1 + 16, groupEnd1 - 1);
        let row6: i32 = min(mFrom1 + slow1 + 24, groupEnd1 - 1);
        let row7: i32 = min(mFrom1 + slow1 + 32, groupEnd1 - 1);
        let row8: i32 = min(mFrom1 + slow1 + 40, groupEnd1 - 1);
        let row9: i32 = min(mFrom1 + slow1 + 48, groupEnd1 - 1);
        let row10: i32 = min(mFrom1 + slow1 + 56, groupEnd1 - 1);
        let fast2: i32 = invocation & 31;
        let slow2: i32 = invocation >> 5u;
        for (var k00: i32 = 0; k00 < 64; k00 += 32) {
          let k1: i32 = k00 + fast1;
          let value2: f32 = p1[k1 + row3 * 64];
          let k2: i32 = k00 + fast1;
          let value3: f32 = p1[k2 + row4 * 64];
          let k3: i32 = k00 + fast1;
          let value4: f32 = p1[k3 + row5 * 64];
          let k4: i32 = k00 + fast1;
          let value5: f32 = p1[k4 + row6 * 64];
          let k5: i32 = k00 + fast1;
          let value6: f32 = p1[k5 + row7 * 64];
          let k6: i32 = k00 + fast1;
          let value7: f32 = p1[k6 + row8 * 64];
          let k7: i32 = k00 + fast1;
          let value8: f32 = p1[k7 + row9 * 64];
          let k8: i32 = k00 + fast1;
          let value9: f32 = p1[k8 + row10 * 64];
          block[fast1 * 68 + slow1] = value2;
          block[fast1 * 68 + slow1 + 8] = value3;
          block[fast1 * 68 + slow1 + 16] = value4;
          block[fast1 * 68 + slow1 + 24] = value5;
          block[fast1 * 68 + slow1 + 32] = value6;
          block[fast1 * 68 + slow1 + 40] = value7;
          block[fast1 * 68 + slow1 + 48] = value8;
          block[fast1 * 68 + slow1 + 56] = value9;
          let k9: i32 = k00 + slow2;
          let value10: f32 = p2[fast2 + group3 * 2048 + k9 * 32];
          let k10: i32 = k00 + slow2 + 8;
          let value11: f32 = p2[fast2 + group3 * 2048 + k10 * 32];
          let k11: i32 = k00 + slow2 + 16;
          let value12: f32 = p2[fast2 + group3 * 2048 + k11 * 32];
          let k12: i32 = k00 + slow2 + 24;
          let value13: f32 = p2[fast2 + group3 * 2048 + k12 * 32];
          block[slow2 * 32 + fast2 + 2176] = value10;
          block[slow2 * 32 + fast2 + 2432] = value11;
          block[slow2 * 32 + fast2 + 2688] = value12;
          block[slow2 * 32 + fast2 + 2944] = value13;
          workgroupBarrier();
          let k13: i32 = slice1 * 8;
          let k14_end = k13 + 8;
          for (var k14: i32 = k13; k14 < k14_end; k14++) {
            let a0: vec4<f32> = load4_block(k14 * 68 + rowFour0);
            let a1: vec4<f32> = load4_block(k14 * 68 + rowFour0 + 32);
            let b0: vec4<f32> = load4_block(k14 * 32 + columnFour0 + 2176);
            sum2 = fma(vec4<f32>(a0.x), b0, sum2);
            sum3 = fma(vec4<f32>(a0.y), b0, sum3);
            sum4 = fma(vec4<f32>(a0.z), b0, sum4);
            sum5 = fma(vec4<f32>(a0.w), b0, sum5);
            sum6 = fma(vec4<f32>(a1.x), b0, sum6);
            sum7 = fma(vec4<f32>(a1.y), b0, sum7);
            sum8 = fma(vec4<f32>(a1.z), b0, sum8);
            sum9 = fma(vec4<f32>(a1.w), b0, sum9);
          }
          workgroupBarrier();
        }
        if ((2 <= slice1) & (slice1 < 4)) {
          store4_block((slice1 * 512 + member0) * 4 - 4096, sum2);
          store4_block((slice1 * 512 + member0) * 4 - 3840, sum3);
          store4_block((slice1 * 512 + member0) * 4 - 3584, sum4);
          store4_block((slice1 * 512 + member0) * 4 - 3328, sum5);
          store4_block((slice1 * 512 + member0) * 4 - 3072, sum6);
          store4_block((slice1 * 512 + member0) * 4 - 2816, sum7);
          store4_block((slice1 * 512 + member0) * 4 - 2560, sum8);
          store4_block((slice1 * 512 + member0) * 4 - 2304, sum9);
        }
        workgroupBarrier();
        if (slice1 < 2) {
          sum2 = sum2 + load4_block((slice1 * 512 + member0) * 4);
          sum3 = sum3 + load4_block((slice1 * 512 + member0) * 4 + 256);
          sum4 = sum4 + load4_block((slice1 * 512 + member0) * 4 + 512);
          sum5 = sum5 + load4_block((slice1 * 512 + member0) * 4 + 768);
          sum6 = sum6 + load4_block((slice1 * 512 + member0) * 4 + 1024);
          sum7 = sum7 + load4_block((slice1 * 512 + member0) * 4 + 1280);
          sum8 = sum8 + load4_block((slice1 * 512 + member0) * 4 + 1536);
          sum9 = sum9 + load4_block((slice1 * 512 + member0) * 4 + 1792);
        }
        workgroupBarrier();
        if ((1 <= slice1) & (slice1 < 2)) {
          store4_block((slice1 * 512 + member0) * 4 - 2048, sum2);
          store4_block((slice1 * 512 + member0) * 4 - 1792, sum3);
          store4_block((slice1 * 512 + member0) * 4 - 1536, sum4);
          store4_block((slice1 * 512 + member0) * 4 - 1280, sum5);
          store4_block((slice1 * 512 + member0) * 4 - 1024, sum6);
          store4_block((slice1 * 512 + member0) * 4 - 768, sum7);
          store4_block((slice1 * 512 + member0) * 4 - 512, sum8);
          store4_block((slice1 * 512 + member0) * 4 - 256, sum9);
        }
        workgroupBarrier();
        if (slice1 < 1) {
          sum2 = sum2 + load4_block((slice1 * 512 + member0) * 4);
          sum3 = sum3 + load4_block((slice1 * 512 + member0) * 4 + 256);
          sum4 = sum4 + load4_block((slice1 * 512 + member0) * 4 + 512);
          sum5 = sum5 + load4_block((slice1 * 512 + member0) * 4 + 768);
          sum6 = sum6 + load4_block((slice1 * 512 + member0) * 4 + 1024);
          sum7 = sum7 + load4_block((slice1 * 512 + member0) * 4 + 1280);
          sum8 = sum8 + load4_block((slice1 * 512 + member0) * 4 + 1536);
          sum9 = sum9 + load4_block((slice1 * 512 + member0) * 4 + 1792);
        }
        workgroupBarrier();
        if (slice1 < 1) {
          for (var i0: i32 = 0; i0 < 8; i0++) {
            let m1: i32 = mFrom1 + rowFour0 + (i0 >> 2u) * 32 + (i0 & 3);
            if (m1 < groupEnd1) {
              let v2: i32 = p3[m1];
              let v3: f32 = p4[v2];
              let total1: vec4<f32> = select(select(select(select(select(select(select(sum9, sum8, i0 == 6), sum7, i0 == 5), sum6, i0 == 4), sum5, i0 == 3), sum4, i0 == 2), sum3, i0 == 1), sum2, i0 == 0);
              let v4: vec4<f32> = vec4<f32>(v3);
              store4_p5(columnFour0 + m1 * 32, total1 * v4);
            }
          }
        }
      }
    }
  }
}
