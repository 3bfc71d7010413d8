/*
 * Event timing: every enqueue call asks for a slot; its event is kept until somebody reads the
 * rows. Off, a slot is NULL and nothing is kept. Names are string literals or live in the kernel
 * cache.
 */
#include "device/opencl.h"

#include "core/memory.h"

#include <stdlib.h>
#include <string.h>

enum { PENDING = 4096 };

typedef struct lac_profile {
  struct {
    const char *name;
    cl_event event;
  } pending[PENDING];
  size_t pending_count;
  lac_profile_row *rows;
  size_t row_count, row_room;
} lac_profile;

static lac_status find_row(lac_profile *profile, const char *name, lac_profile_row **out) {
  for (size_t i = 0; i < profile->row_count; i++) {
    if (strcmp(profile->rows[i].name, name) != 0) continue;
    *out = &profile->rows[i];
    return LAC_OK;
  }
  if (profile->row_count == profile->row_room) {
    const size_t room = profile->row_room ? 2 * profile->row_room : 32;
    LAC_TRY(lac_realloc(&profile->rows, room, sizeof *profile->rows, "the profile"));
    profile->row_room = room;
  }
  *out = &profile->rows[profile->row_count++];
  **out = (lac_profile_row){.name = name};
  return LAC_OK;
}

/* Turn waiting events into rows; events whose driver gives no times count as zero seconds. */
static lac_status settle(lac_device *device) {
  lac_profile *profile = device->profile;
  lac_status status = LAC_OK;
  clFinish(device->queue);
  for (size_t i = 0; i < profile->pending_count; i++) {
    cl_event event = profile->pending[i].event;
    cl_ulong start = 0, end = 0;
    if (!event) continue; // the enqueue call it was meant for failed
    clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_START, sizeof start, &start, NULL);
    clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof end, &end, NULL);
    clReleaseEvent(event);
    lac_profile_row *row;
    if (status == LAC_OK) status = find_row(profile, profile->pending[i].name, &row);
    if (status != LAC_OK) continue;
    row->calls++;
    if (end > start) row->seconds += (double)(end - start) * 1e-9;
  }
  profile->pending_count = 0;
  return status;
}

cl_event *lac_profile_slot(lac_device *device, const char *name) {
  lac_profile *profile = device->profile;
  if (!profile) return NULL;
  if (profile->pending_count == PENDING && settle(device) != LAC_OK) return NULL;
  const size_t i = profile->pending_count++;
  profile->pending[i].name = name;
  profile->pending[i].event = NULL;
  return &profile->pending[i].event;
}

void lac_profile_release(lac_device *device) {
  if (!device->profile) return;
  settle(device);
  free(device->profile->rows);
  free(device->profile);
  device->profile = NULL;
}

lac_status lac_device_profile(lac_device *device, bool on) {
  lac_profile *fresh = NULL;
  cl_int code;
  LAC_TRY(lac_device_finish(device));
  if (on) LAC_TRY(lac_alloc(&fresh, 1, sizeof *fresh, "the profile"));
  // Whether events carry times is a property of the queue, so switching means a new one.
  cl_command_queue queue =
      clCreateCommandQueue(device->context, device->id, on ? CL_QUEUE_PROFILING_ENABLE : 0, &code);
  if (code != CL_SUCCESS) {
    free(fresh);
    return lac_cl_fail(code, "profile: creating a queue on %s", device->caps.name);
  }
  lac_profile_release(device);
  clReleaseCommandQueue(device->queue);
  device->queue = queue;
  device->profile = fresh;
  return LAC_OK;
}

static int compare_rows(const void *a, const void *b) {
  const double x = ((const lac_profile_row *)a)->seconds, y = ((const lac_profile_row *)b)->seconds;
  return (x < y) - (x > y);
}

lac_status lac_device_profile_rows(lac_device *device, const lac_profile_row **rows,
                                   size_t *count) {
  if (!device->profile) return lac_fail(LAC_EINVAL, "profile: event timing is off");
  LAC_TRY(settle(device));
  if (device->profile->row_count)
    qsort(device->profile->rows, device->profile->row_count, sizeof **rows, compare_rows);
  *rows = device->profile->rows;
  *count = device->profile->row_count;
  return LAC_OK;
}
