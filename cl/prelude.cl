/*
 * Put before every program. OpenCL C 1.2, nothing optional.
 *
 * Contraction is off so that every device rounds alike; kernels that want fma() say so.
 */
#pragma OPENCL FP_CONTRACT OFF

/* Work items of a reduction group; the host launches these kernels with exactly this many. */
#define REDUCE 64

/* How such a kernel begins. Stating the size is more than a hint: drivers (rusticl for one) may otherwise
 * limit a kernel to fewer work items than the device can run. */
#define GROUP_KERNEL kernel __attribute__((reqd_work_group_size(REDUCE, 1, 1)))

/* Sum over the group; every work item gets the result. `room` holds REDUCE floats; all items call it. */
inline float group_sum(float value, local float *room) {
  const uint lid = (uint)get_local_id(0);
  barrier(CLK_LOCAL_MEM_FENCE); // an earlier use of room may still be read
  room[lid] = value;
  for (uint half_size = REDUCE / 2; half_size > 0; half_size /= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (lid < half_size) room[lid] += room[lid + half_size];
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  return room[0];
}

/* Largest over the group, as group_sum. */
inline float group_max(float value, local float *room) {
  const uint lid = (uint)get_local_id(0);
  barrier(CLK_LOCAL_MEM_FENCE);
  room[lid] = value;
  for (uint half_size = REDUCE / 2; half_size > 0; half_size /= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (lid < half_size) room[lid] = fmax(room[lid], room[lid + half_size]);
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  return room[0];
}
