/*
 * Size classes are powers of two from 256 bytes on, each cut into four: 1, 1.25, 1.5 and 1.75
 * times, so that at most a fifth of a buffer is unused. A freed buffer goes to the head of its
 * class's list.
 *
 * When the driver refuses memory: the pressure hook frees what the host language no longer needs,
 * the pool frees what it caches, and the driver is asked once more.
 */
#include "device/opencl.h"

#include "core/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Largest write that does not wait, in bytes. */
enum { WRITE_LATER_MAX = 4 << 20 };

/* Smallest buffer that is worth large pages, and their size, in bytes. */
enum { PAGED_FROM = 4 << 20, HUGE_PAGE = 2 << 20 };

static size_t class_bytes(uint32_t size_class) {
  const uint32_t power = 8 + size_class / 4;
  return ((size_t)1 << power) + ((size_t)1 << (power - 2)) * (size_class % 4);
}

static bool find_class(uint32_t *out, size_t bytes) {
  for (uint32_t i = 0; i < LAC_POOL_CLASSES; i++) {
    if (class_bytes(i) < bytes) continue;
    *out = i;
    return true;
  }
  return false;
}

static void CL_CALLBACK free_pages(cl_mem mem, void *pages) {
  (void)mem;
  free(pages);
}

/* Memory of our own in large pages: with small ones, walks through weights spend a tenth of their
 * time on finding the next page. */
static cl_int create_paged(lac_device *device, size_t bytes, cl_mem *out) {
  const lac_pool_stats *stats = &device->pool.stats;
  const size_t whole = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
  cl_int code = CL_MEM_OBJECT_ALLOCATION_FAILURE;
  if (stats->used_bytes + stats->cached_bytes + whole > device->caps.global_bytes) return code;
  void *pages = aligned_alloc(HUGE_PAGE, whole);
  if (!pages) return code;
#if defined(MADV_HUGEPAGE)
  madvise(pages, whole, MADV_HUGEPAGE); // small pages do as well
#endif
  cl_mem mem =
      clCreateBuffer(device->context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR, bytes, pages, &code);
  if (code == CL_SUCCESS) code = clSetMemObjectDestructorCallback(mem, free_pages, pages);
  if (code == CL_SUCCESS) {
    *out = mem;
    return code;
  }
  if (mem) clReleaseMemObject(mem);
  free(pages);
  return code;
}

static cl_int create_mem(lac_device *device, size_t bytes, bool refuse, cl_mem *out) {
  const cl_mem_flags flags = CL_MEM_READ_WRITE | (device->caps.unified ? CL_MEM_ALLOC_HOST_PTR : 0);
  cl_int code = CL_MEM_OBJECT_ALLOCATION_FAILURE;
  if (refuse) return code;
  if (bytes >= PAGED_FROM && lac_device_is_host(device)) return create_paged(device, bytes, out);
  *out = clCreateBuffer(device->context, flags, bytes, NULL, &code);
  return code;
}

static lac_status fail_memory(const lac_device *device, size_t bytes, const char *what) {
  const double mib = 1024.0 * 1024.0;
  return lac_fail(LAC_ENOMEM,
                  "out of device memory: wanted %.1f MiB for %s; %.1f MiB of %.0f MiB on %s are in "
                  "use; smaller batches or a smaller model would help",
                  (double)bytes / mib, what, (double)device->pool.stats.used_bytes / mib,
                  (double)device->caps.global_bytes / mib, device->caps.name);
}

static void count_taken(lac_pool *pool, size_t bytes) {
  pool->stats.used_bytes += bytes;
  pool->stats.used_buffers++;
  if (pool->stats.used_bytes > pool->stats.peak_bytes)
    pool->stats.peak_bytes = pool->stats.used_bytes;
}

static lac_buffer *take_cached(lac_pool *pool, uint32_t size_class) {
  lac_buffer *buffer = pool->free[size_class];
  if (!buffer) return NULL;
  pool->free[size_class] = buffer->next;
  pool->stats.cached_bytes -= buffer->full_bytes;
  return buffer;
}

static lac_status create_buffer(lac_buffer **out, lac_device *device, uint32_t size_class,
                                size_t bytes, const char *what) {
  const size_t full_bytes = class_bytes(size_class);
  if (full_bytes > device->caps.max_alloc_bytes && bytes > device->caps.max_alloc_bytes)
    return lac_fail(LAC_ENOMEM, "%s needs one buffer of %.1f MiB; %s allows at most %.1f MiB each",
                    what, (double)bytes / 1048576.0, device->caps.name,
                    (double)device->caps.max_alloc_bytes / 1048576.0);
  const size_t size = full_bytes <= device->caps.max_alloc_bytes ? full_bytes : bytes;
  lac_buffer *buffer;
  LAC_TRY(lac_alloc(&buffer, 1, sizeof *buffer, "a buffer's record"));
  const bool refuse = lac_fault_due(); // a fault is one of both attempts
  cl_int code = create_mem(device, size, refuse, &buffer->mem);
  if (code != CL_SUCCESS) {
    if (device->pool.hook) device->pool.hook(device->pool.hook_user, bytes, true);
    clFinish(device->queue); // what is being given back may still be in use
    lac_pool_trim(device);
    code = create_mem(device, size, refuse, &buffer->mem);
  }
  if (code != CL_SUCCESS) {
    free(buffer);
    return fail_memory(device, bytes, what);
  }
  buffer->serial = ++device->pool.created;
  buffer->full_bytes = size;
  buffer->size_class = size_class;
  *out = buffer;
  return LAC_OK;
}

lac_status lac_buffer_new(lac_buffer **out, lac_device *device, size_t bytes, const char *what) {
  lac_pool *pool = &device->pool;
  uint32_t size_class;
  if (!find_class(&size_class, bytes)) return fail_memory(device, bytes, what);
  if (pool->hook) pool->hook(pool->hook_user, bytes, false);
  lac_buffer *buffer = take_cached(pool, size_class);
  if (!buffer) LAC_TRY(create_buffer(&buffer, device, size_class, bytes, what));
  buffer->refs = 1;
  buffer->bytes = bytes;
  buffer->next = NULL;
  buffer->device = lac_device_retain(device);
  count_taken(pool, bytes);
  *out = buffer;
  return LAC_OK;
}

lac_buffer *lac_buffer_retain(lac_buffer *buffer) {
  buffer->refs++;
  return buffer;
}

void lac_buffer_release(lac_buffer *buffer) {
  if (!buffer || --buffer->refs) return;
  lac_device *device = buffer->device;
  lac_pool *pool = &device->pool;
  pool->stats.used_bytes -= buffer->bytes;
  pool->stats.used_buffers--;
  pool->stats.cached_bytes += buffer->full_bytes;
  buffer->device = NULL;
  buffer->next = pool->free[buffer->size_class];
  pool->free[buffer->size_class] = buffer;
  lac_device_release(device); // may end the device, and with it the pool
}

lac_device *lac_buffer_device(const lac_buffer *buffer) {
  return buffer->device;
}

void *lac_buffer_handle(const lac_buffer *buffer) {
  return buffer->mem;
}

/* Enqueue the write of a copy of the source; false where the driver will not. */
static bool write_later(lac_buffer *buffer, size_t offset, const void *source, size_t bytes) {
  lac_device *device = buffer->device;
  cl_int code;
  cl_mem copy = clCreateBuffer(device->context, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR, bytes,
                               (void *)source, &code); // NOLINT: the driver only reads it
  if (code != CL_SUCCESS) return false;
  code = clEnqueueCopyBuffer(device->queue, copy, buffer->mem, 0, offset, bytes, 0, NULL,
                             lac_profile_slot(device, "(write)"));
  clReleaseMemObject(copy); // lives until the queue has done with it
  return code == CL_SUCCESS;
}

/* A blocking write waits for all that was enqueued before, so what is small goes by a copy. */
lac_status lac_buffer_write(lac_buffer *buffer, size_t offset, const void *source, size_t bytes) {
  if (bytes == 0 || (bytes <= WRITE_LATER_MAX && write_later(buffer, offset, source, bytes)))
    return LAC_OK;
  lac_device *device = buffer->device;
  const cl_int code = clEnqueueWriteBuffer(device->queue, buffer->mem, CL_TRUE, offset, bytes,
                                           source, 0, NULL, lac_profile_slot(device, "(write)"));
  return code == CL_SUCCESS ? LAC_OK : lac_cl_fail(code, "writing %zu bytes to the device", bytes);
}

lac_status lac_buffer_read(lac_buffer *buffer, size_t offset, void *target, size_t bytes) {
  if (bytes == 0) return LAC_OK;
  lac_device *device = buffer->device;
  const cl_int code = clEnqueueReadBuffer(device->queue, buffer->mem, CL_TRUE, offset, bytes,
                                          target, 0, NULL, lac_profile_slot(device, "(read)"));
  return code == CL_SUCCESS ? LAC_OK : lac_cl_fail(code, "reading %zu bytes back", bytes);
}

lac_status lac_buffer_fill(lac_buffer *buffer, size_t offset, size_t bytes, const void *pattern) {
  if (bytes == 0) return LAC_OK;
  lac_device *device = buffer->device;
  if (lac_device_is_host(device)) return lac_native_fill(buffer, offset, bytes, pattern);
  const cl_int code = clEnqueueFillBuffer(device->queue, buffer->mem, pattern, 4, offset, bytes, 0,
                                          NULL, lac_profile_slot(device, "(fill)"));
  return code == CL_SUCCESS ? LAC_OK : lac_cl_fail(code, "filling %zu bytes", bytes);
}

lac_status lac_buffer_copy(lac_buffer *target, size_t target_offset, lac_buffer *source,
                           size_t source_offset, size_t bytes) {
  if (bytes == 0) return LAC_OK;
  lac_device *device = target->device;
  const cl_int code =
      clEnqueueCopyBuffer(device->queue, source->mem, target->mem, source_offset, target_offset,
                          bytes, 0, NULL, lac_profile_slot(device, "(copy)"));
  return code == CL_SUCCESS ? LAC_OK : lac_cl_fail(code, "copying %zu bytes", bytes);
}

void lac_pool_stats_get(const lac_device *device, lac_pool_stats *out) {
  *out = device->pool.stats;
}

void lac_pool_reset_peak(lac_device *device) {
  device->pool.stats.peak_bytes = device->pool.stats.used_bytes;
}

void lac_pool_trim(lac_device *device) {
  for (uint32_t i = 0; i < LAC_POOL_CLASSES; i++) {
    lac_buffer *buffer;
    while ((buffer = take_cached(&device->pool, i))) {
      clReleaseMemObject(buffer->mem);
      free(buffer);
    }
  }
}

void lac_pool_set_hook(lac_device *device, void (*hook)(void *user, size_t bytes, bool exhausted),
                       void *user) {
  device->pool.hook = hook;
  device->pool.hook_user = user;
}
