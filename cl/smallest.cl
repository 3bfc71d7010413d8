/*
 * Which of many floats are the k smallest: a radix select over keys of 32 bits that are in the order of the
 * floats, in digits of 11, 11 and 10 bits from the top.
 *
 * Several tensors count as one list. Each has a row of ROW counts, one for every value of every digit; a count
 * takes part where the digits above are those chosen. After each digit `choose` picks the value in which the
 * k-th smallest lies. The last digit is also counted per block of BLOCK elements: where exactly the threshold
 * stands more often than is wanted, ties are taken from the first blocks on, and within one block in order.
 *
 * chosen: [0] the key's known digits, [1] how many of the elements with these digits belong to the k smallest.
 */
#define BLOCK 32768
#define FIRST 2048 /* values of the first and second digit */
#define LAST 1024
#define ROW (2 * FIRST + LAST)

/* NaN first, then -inf .. inf; both zeros are one. */
inline uint key_of(float x) {
  const uint bits = as_uint(x), size = bits & 0x7fffffffu;
  const uint ordered = bits ^ (bits >> 31 ? 0xffffffffu : 0x80000000u);
  return size > 0x7f800000u ? 0u : (size == 0u ? 0x80000000u : ordered);
}

inline uint sum_before(uint value, local uint *room, uint *total) {
  const uint lid = (uint)get_local_id(0);
  barrier(CLK_LOCAL_MEM_FENCE);
  room[lid] = value;
  for (uint step = 1; step < REDUCE; step *= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    const uint other = lid >= step ? room[lid - step] : 0u;
    barrier(CLK_LOCAL_MEM_FENCE);
    room[lid] += other;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  *total = room[REDUCE - 1];
  return room[lid] - value;
}

/* Add block `group` of x to the counts of one digit, (key >> shift) & mask, of the keys whose digits from
 * `known` up are chosen. With `ties` keep the counts of the block. */
GROUP_KERNEL void smallest_count(global int *counts, ulong counts0, global int *ties, ulong ties0,
                                 const global float *x, ulong x0, const global int *chosen,
                                 ulong chosen0, ulong n, uint shift, uint values, uint known,
                                 uint keep) {
  local uint bins[FIRST];
  const ulong group = get_group_id(0), begin = group * BLOCK, end = min(begin + BLOCK, n);
  const uint lid = (uint)get_local_id(0);
  const uint wanted = (uint)chosen[chosen0];
  for (uint i = lid; i < values; i += REDUCE) bins[i] = 0;
  barrier(CLK_LOCAL_MEM_FENCE);
  for (ulong i = begin + lid; i < end; i += REDUCE) {
    const uint key = key_of(x[x0 + i]);
    if (known == 32u || key >> known == wanted >> known) atomic_inc(&bins[(key >> shift) & (values - 1u)]);
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  for (uint i = lid; i < values; i += REDUCE) {
    if (bins[i]) atomic_add(&counts[counts0 + i], (int)bins[i]);
    if (keep) ties[ties0 + group * LAST + i] = (int)bins[i];
  }
}

/* Sum one digit's counts over the tensors, and put the value in which number `chosen[1]` from below lies into
 * the key. One group. */
GROUP_KERNEL void smallest_choose(global int *chosen, ulong chosen0, const global int *counts,
                                  ulong counts0, ulong tensors, uint shift, uint values) {
  local uint bins[FIRST], room[REDUCE];
  const uint lid = (uint)get_local_id(0), share = values / REDUCE;
  const uint wanted = (uint)chosen[chosen0 + 1];
  uint own = 0, total;
  for (uint i = lid; i < values; i += REDUCE) {
    uint sum = 0;
    for (ulong t = 0; t < tensors; t++) sum += (uint)counts[counts0 + t * ROW + i];
    bins[i] = sum;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  for (uint i = 0; i < share; i++) own += bins[lid * share + i];
  uint before = sum_before(own, room, &total);
  barrier(CLK_GLOBAL_MEM_FENCE); // all have read what one of them changes
  const int mine = wanted ? before < wanted && wanted <= before + own : lid == 0;
  if (!mine) return;
  uint value = lid * share;
  while (wanted && before + bins[value] < wanted) before += bins[value++];
  chosen[chosen0] |= (int)(value << shift);
  chosen[chosen0 + 1] = (int)(wanted - before);
}

/* taken[block] = how many of the block's elements that equal the threshold belong to the smallest: -1, which
 * stands for all, in the first blocks, some in at most one, none in the last. One group. */
GROUP_KERNEL void smallest_ties(global int *taken, ulong taken0, const global int *ties, ulong ties0,
                                const global int *chosen, ulong chosen0, ulong blocks) {
  local uint room[REDUCE];
  const ulong lid = get_local_id(0), share = (blocks + REDUCE - 1) / REDUCE;
  const ulong begin = min(lid * share, blocks), end = min(begin + share, blocks);
  const uint value = (uint)chosen[chosen0] & (LAST - 1u);
  uint own = 0, total;
  for (ulong b = begin; b < end; b++) own += (uint)ties[ties0 + b * LAST + value];
  int left = chosen[chosen0 + 1] - (int)sum_before(own, room, &total);
  for (ulong b = begin; b < end; b++) {
    const int here = ties[ties0 + b * LAST + value];
    taken[taken0 + b] = here <= left ? -1 : max(left, 0);
    left -= here;
  }
}

/* mask = 0 where x belongs to the smallest, else 1; a block with some of its ties takes none here. */
kernel void smallest_mask(global float *mask, ulong mask0, const global float *x, ulong x0,
                          const global int *chosen, ulong chosen0, const global int *taken,
                          ulong taken0, ulong n) {
  const ulong i = get_global_id(0);
  if (i >= n) return;
  const uint limit = (uint)chosen[chosen0] + (taken[taken0 + i / BLOCK] < 0 ? 1u : 0u);
  mask[mask0 + i] = key_of(x[x0 + i]) < limit ? 0.0f : 1.0f;
}

/* What is left to do for one tensor: the first ties of the one block that has some, and its row of the report,
 * {zeros in the mask, NaN seen}. One group. */
GROUP_KERNEL void smallest_finish(global float *mask, ulong mask0, global int *report, ulong report0,
                                  const global float *x, ulong x0, const global int *chosen,
                                  ulong chosen0, const global int *taken, ulong taken0,
                                  const global int *ties, ulong ties0, const global int *counts,
                                  ulong counts0, ulong n) {
  local uint room[REDUCE];
  const uint lid = (uint)get_local_id(0), threshold = (uint)chosen[chosen0];
  const ulong blocks = (n + BLOCK - 1) / BLOCK;
  const uint digits[3] = {threshold >> 21, threshold >> 10 & (FIRST - 1u), threshold & (LAST - 1u)};
  uint zeros = 0, total;
  for (uint d = 0; d < 3; d++)
    for (uint i = lid; i < digits[d]; i += REDUCE) zeros += (uint)counts[counts0 + d * FIRST + i];
  for (ulong b = lid; b < blocks; b += REDUCE) {
    const int some = taken[taken0 + b];
    zeros += some < 0 ? (uint)ties[ties0 + b * LAST + digits[2]] : (uint)some;
  }
  sum_before(zeros, room, &total);
  if (lid == 0) {
    report[report0] = (int)total;
    report[report0 + 1] = counts[counts0]; // only NaN has a first digit of 0
  }
  ulong block = 0; // barriers stand outside of loops and branches: PoCL 3.1 mixes work items up otherwise
  while (block < blocks && taken[taken0 + block] <= 0) block++;
  const uint some = block < blocks ? (uint)taken[taken0 + block] : 0u;
  const ulong start = block * BLOCK + lid * (BLOCK / REDUCE);
  const ulong begin = min(start, n), end = min(start + BLOCK / REDUCE, n);
  uint own = 0;
  for (ulong i = begin; i < end; i++) own += key_of(x[x0 + i]) == threshold;
  uint before = sum_before(own, room, &total);
  for (ulong i = begin; i < end; i++) {
    if (key_of(x[x0 + i]) != threshold) continue;
    if (before < some) mask[mask0 + i] = 0.0f;
    before++;
  }
}

/* mask = 0 where fewer than n of the element's m neighbours are smaller, or equal and before it; else 1. */
kernel void smallest_of_groups(global float *mask, ulong mask0, const global float *x, ulong x0, ulong count,
                               uint n, uint m) {
  const ulong i = get_global_id(0);
  if (i >= count) return;
  const ulong first = i / m * m;
  const uint key = key_of(x[x0 + i]);
  uint smaller = 0;
  for (ulong j = first; j < first + m; j++) {
    const uint other = key_of(x[x0 + j]);
    smaller += other < key || (other == key && j < i);
  }
  mask[mask0 + i] = smaller < n ? 0.0f : 1.0f;
}
