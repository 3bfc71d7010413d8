/**
 * Status codes and the sentence that goes with a failure.
 *
 * A fallible function returns a lac_status. Where a failure is detected it is put into words with
 * lac_fail(); everyone above passes the code on with LAC_TRY. The sentence is kept per thread and
 * read once, by whoever reports it.
 */
#ifndef LAC_CORE_STATUS_H
#define LAC_CORE_STATUS_H

typedef enum lac_status {
  LAC_OK = 0,
  LAC_EINVAL,       /* a value is wrong */
  LAC_ESHAPE,       /* shapes do not fit */
  LAC_ENOMEM,       /* host or device memory is exhausted */
  LAC_EDEVICE,      /* the OpenCL device or its driver refused */
  LAC_EIO,          /* a file is missing, damaged or cannot be written */
  LAC_EUNSUPPORTED, /* understood, but not available here */
} lac_status;

#if defined(__GNUC__)
#define LAC_PRINTF(text_index, first) __attribute__((format(printf, text_index, first)))
#else
#define LAC_PRINTF(text_index, first)
#endif

/** Remember a sentence; it is cut at 1023 bytes. */
void lac_remember(const char *text, ...) LAC_PRINTF(1, 2);

/**
 * Remember what went wrong and hand the code back, so that `return lac_fail(...)` is one statement.
 *
 * A macro, so that compilers and analysers see that the result is never LAC_OK.
 *
 * @param code  any code but LAC_OK
 * @param ...   "op: rule broken, got value" as printf takes it
 * @return code
 */
#define lac_fail(code, ...) (lac_remember(__VA_ARGS__), (code))

/** The sentence of this thread's latest failure; "" before the first. Borrowed until the next. */
const char *lac_message(void);

/** The code as a word ("shape", "device", ...), for machine-readable output. */
const char *lac_status_name(lac_status code);

/** Pass a failure on to the caller. */
#define LAC_TRY(expression)                                                                        \
  do {                                                                                             \
    const lac_status lac_try_status = (expression);                                                \
    if (lac_try_status != LAC_OK) return lac_try_status;                                           \
  } while (0)

#endif
