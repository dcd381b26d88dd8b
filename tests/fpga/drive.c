/* drive CONTAINER TEST - one test of the device model through XRT's OpenCL, with the container that
 * container.c writes. Prints what was wrong; exit status 0: nothing. tests/fpga/model.sh runs them,
 * each in a process group of its own, with the faults that a test is about in its environment. */
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "tests/fpga/expect.h"

static cl_context context;
static cl_device_id device;
static cl_command_queue queue;
static cl_program program;
static const unsigned char *binary;
static size_t binary_bytes;

/* An OpenCL call that must succeed for the test to go on. */
static void must(cl_int status, int line)
{
	if (status == CL_SUCCESS)
		return;
	printf("%s:%d: OpenCL error %d\n", __FILE__, line, status);
	exit(1);
}
#define MUST(call) must((call), __LINE__)

static void load(void)
{
	cl_int status, loaded = CL_INVALID_BINARY;
	program = clCreateProgramWithBinary(context, 1, &device, &binary_bytes, &binary, &loaded,
	                                    &status);
	MUST(status);
	MUST(loaded);
	MUST(clBuildProgram(program, 1, &device, "", NULL, NULL));
}

static void set_up(const char *path)
{
	cl_platform_id platform;
	cl_int status;
	FILE *file = fopen(path, "rb");
	unsigned char *data = malloc(1 << 24);
	if (!file || !data)
		exit(2);
	binary_bytes = fread(data, 1, 1 << 24, file);
	binary = data;
	fclose(file);
	MUST(clGetPlatformIDs(1, &platform, NULL));
	MUST(clGetDeviceIDs(platform, CL_DEVICE_TYPE_ACCELERATOR, 1, &device, NULL));
	context = clCreateContext(NULL, 1, &device, NULL, NULL, &status);
	MUST(status);
	queue = clCreateCommandQueue(
		context, device, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE | CL_QUEUE_PROFILING_ENABLE,
		&status);
	MUST(status);
	load();
}

static cl_kernel kernel_of(const char *name)
{
	cl_int status;
	cl_kernel kernel = clCreateKernel(program, name, &status);
	MUST(status);
	return kernel;
}

static void set_number(cl_kernel kernel, cl_uint at, cl_int value)
{
	MUST(clSetKernelArg(kernel, at, sizeof value, &value));
}

static void write_all(cl_mem buffer, const void *data, size_t bytes)
{
	MUST(clEnqueueWriteBuffer(queue, buffer, CL_TRUE, 0, bytes, data, 0, NULL, NULL));
}

static void read_all(cl_mem buffer, void *data, size_t bytes)
{
	MUST(clEnqueueReadBuffer(queue, buffer, CL_TRUE, 0, bytes, data, 0, NULL, NULL));
}

/* Whether the event completes in time. */
static bool ends(cl_event event, double seconds)
{
	cl_int status = CL_QUEUED;
	const double begin = omt_now_s();
	while (omt_now_s() - begin < seconds) {
		MUST(clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status,
		                    &status, NULL));
		if (status <= CL_COMPLETE)
			break;
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	return status == CL_COMPLETE;
}

/* A buffer that is argument `at` of the kernel, which decides its bank, on the card. */
static cl_mem buffer_of(cl_kernel kernel, cl_uint at, size_t bytes)
{
	cl_int status;
	cl_event placed;
	cl_mem buffer = clCreateBuffer(context, CL_MEM_READ_WRITE, bytes, NULL, &status);
	MUST(status);
	MUST(clSetKernelArg(kernel, at, sizeof buffer, &buffer));
	MUST(clEnqueueMigrateMemObjects(queue, 1, &buffer, CL_MIGRATE_MEM_OBJECT_CONTENT_UNDEFINED,
	                                0, NULL, &placed));
	EXPECT(ends(placed, 5)); /* clFinish would wait for launches that hang, too */
	return buffer;
}

static cl_event start(cl_kernel kernel, cl_uint count, const cl_event *after)
{
	cl_event event;
	MUST(clEnqueueTask(queue, kernel, count, count ? after : NULL, &event));
	return event;
}

/* "add" on a unit, with buffers of n floats. */
typedef struct addition {
	cl_kernel kernel;
	cl_mem a, b, out;
	cl_int n;
} addition;

static addition addition_of(const char *name, cl_int n, cl_int ms)
{
	addition made = {.kernel = kernel_of(name), .n = n};
	const size_t bytes = (size_t)n * sizeof(float);
	float *data = malloc(bytes);
	made.a = buffer_of(made.kernel, 0, bytes);
	made.b = buffer_of(made.kernel, 1, bytes);
	made.out = buffer_of(made.kernel, 2, bytes);
	set_number(made.kernel, 3, n);
	set_number(made.kernel, 4, ms);
	for (cl_int i = 0; i < n; i++)
		data[i] = (float)(i % 1000);
	write_all(made.a, data, bytes);
	for (cl_int i = 0; i < n; i++)
		data[i] = (float)(i / 1000);
	write_all(made.b, data, bytes);
	free(data);
	return made;
}

static bool is_right(const addition *made)
{
	const size_t bytes = (size_t)made->n * sizeof(float);
	float *data = malloc(bytes);
	bool right = true;
	read_all(made->out, data, bytes);
	for (cl_int i = 0; i < made->n; i++)
		right = right && data[i] == (float)(i % 1000) + (float)(i / 1000);
	free(data);
	return right;
}

/* By XRT's own extension, which is no part of the platform's table. */
static uint64_t bank_of(cl_mem buffer)
{
	uintptr_t address = UINTPTR_MAX;
	cl_int (*ask)(cl_mem, cl_device_id, size_t, void *);
	void *found = dlsym(dlopen("libxilinxopencl.so.2", RTLD_LAZY), "xclGetMemObjDeviceAddress");
	memcpy(&ask, &found, sizeof ask);
	MUST(ask(buffer, device, sizeof address, &address));
	return address >> 30;
}

static void test_banks(void)
{
	addition made = addition_of("add", 1000, 0);
	EXPECT(bank_of(made.a) == 0);
	EXPECT(bank_of(made.b) == 1);
	EXPECT(bank_of(made.out) == 3);
	EXPECT(ends(start(made.kernel, 0, NULL), 5));
	EXPECT(is_right(&made));
}

static void test_many(void)
{
	cl_kernel kernel = kernel_of("many");
	cl_mem buffers[6];
	float out[17] = {0};
	for (cl_uint i = 0; i < 6; i++) {
		const float value = (float)(100 + i);
		buffers[i] = buffer_of(kernel, i, sizeof out);
		write_all(buffers[i], &value, sizeof value);
	}
	for (cl_uint i = 0; i < 12; i++)
		set_number(kernel, 6 + i, (cl_int)(i * i) - 7);
	EXPECT(ends(start(kernel, 0, NULL), 5));
	read_all(buffers[5], out, sizeof out);
	for (int i = 0; i < 12; i++)
		EXPECT(out[i] == (float)(i * i - 7));
	for (int i = 0; i < 5; i++)
		EXPECT(out[12 + i] == (float)(100 + i));
}

/* Two units at once, while copies go on; what is static in a kernel is a unit's own. */
static void test_units(void)
{
	addition first = addition_of("add:{add_1}", 100, 500);
	addition second = addition_of("add:{add_2}", 100, 500);
	addition idle = addition_of("add", 100, 0);
	float data[100] = {0};
	MUST(clFinish(queue));
	const double begin = omt_now_s();
	cl_event events[2] = {start(first.kernel, 0, NULL), start(second.kernel, 0, NULL)};
	read_all(idle.a, data, sizeof data);
	EXPECT(data[99] == 99);
	EXPECT(omt_now_s() - begin < 0.4);
	EXPECT(ends(events[0], 5) && ends(events[1], 5));
	EXPECT(omt_now_s() - begin < 0.95);
	EXPECT(is_right(&first) && is_right(&second));
	const int wanted[3] = {1, 2, 1};
	cl_kernel units[2] = {kernel_of("lonely:{lonely_1}"), kernel_of("lonely:{lonely_2}")};
	for (int i = 0; i < 3; i++) {
		int launches = 0;
		cl_mem at = buffer_of(units[i / 2], 0, sizeof launches);
		EXPECT(ends(start(units[i / 2], 0, NULL), 5));
		read_all(at, &launches, sizeof launches);
		EXPECT(launches == wanted[i]);
	}
}

/* Commands wait for events in any order: out = a + b, then b = out - as a copy -, then again. */
static void test_order(void)
{
	addition made = addition_of("add", 4096, 20);
	const size_t bytes = 4096 * sizeof(float);
	float ones[4096], data[4096];
	cl_int status;
	cl_event gate = clCreateUserEvent(context, &status), events[6];
	MUST(status);
	for (int i = 0; i < 4096; i++)
		ones[i] = 1;
	MUST(clEnqueueWriteBuffer(queue, made.a, CL_FALSE, 0, bytes, ones, 1, &gate, &events[0]));
	MUST(clEnqueueWriteBuffer(queue, made.b, CL_FALSE, 0, bytes, ones, 1, &gate, &events[1]));
	events[2] = start(made.kernel, 2, events); /* 2 */
	MUST(clEnqueueCopyBuffer(queue, made.out, made.b, 0, 0, bytes, 1, &events[2], &events[3]));
	events[4] = start(made.kernel, 1, &events[3]); /* 3 */
	MUST(clEnqueueReadBuffer(queue, made.out, CL_FALSE, 0, bytes, data, 1, &events[4],
	                         &events[5]));
	EXPECT(!ends(events[0], 0.05));
	MUST(clSetUserEventStatus(gate, CL_COMPLETE));
	EXPECT(ends(events[5], 5));
	for (int i = 0; i < 4096; i++)
		EXPECT(data[i] == 3);
	cl_ulong begin = 0, end = 0;
	MUST(clGetEventProfilingInfo(events[4], CL_PROFILING_COMMAND_START, sizeof begin, &begin,
	                             NULL));
	MUST(clGetEventProfilingInfo(events[4], CL_PROFILING_COMMAND_END, sizeof end, &end, NULL));
	EXPECT(end - begin > 15000000);
}

/* Copies beyond the shim's 8 MiB a message, not a whole number of pages. */
static void test_large(void)
{
	addition made = addition_of("add", 10 * 1024 * 1024 + 3, 0);
	EXPECT(ends(start(made.kernel, 0, NULL), 30));
	EXPECT(is_right(&made));
}

static void test_parts(void)
{
	cl_kernel kernel = kernel_of("lonely");
	cl_mem whole = buffer_of(kernel, 0, 1 << 16);
	cl_buffer_region region = {.origin = 8192, .size = 4096};
	cl_int status;
	cl_mem part = clCreateSubBuffer(whole, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION,
	                                &region, &status);
	uint8_t data[16384], fives[4096];
	const uint8_t seven = 7, nine = 9;
	MUST(status);
	memset(fives, 5, sizeof fives);
	MUST(clEnqueueFillBuffer(queue, whole, &seven, 1, 0, 1 << 16, 0, NULL, NULL));
	MUST(clFinish(queue));
	write_all(part, fives, sizeof fives);
	MUST(clEnqueueFillBuffer(queue, whole, &nine, 1, 4000, 8, 0, NULL, NULL));
	MUST(clFinish(queue));
	MUST(clEnqueueCopyBuffer(queue, whole, whole, 8192, 100, 10, 0, NULL, NULL));
	MUST(clFinish(queue));
	read_all(whole, data, sizeof data);
	for (int i = 0; i < 16384; i++)
		EXPECT(data[i] == (i >= 8192 && i < 12288  ? 5
		                   : i >= 4000 && i < 4008 ? 9
		                   : i >= 100 && i < 110   ? 5
		                                           : 7));
}

/* OMT_MODEL_HANG or _CRASH=add:2: the first launch is fine, the second never ends; all else goes
 * on, and the program ends as if nothing had been. */
static void test_stuck(void)
{
	addition made = addition_of("add:{add_1}", 1000, 0);
	EXPECT(ends(start(made.kernel, 0, NULL), 5));
	EXPECT(!ends(start(made.kernel, 0, NULL), 0.3));
	EXPECT(is_right(&made));
	addition other = addition_of("add:{add_2}", 1000, 0);
	EXPECT(ends(start(other.kernel, 0, NULL), 5));
	EXPECT(is_right(&other));
	EXPECT(!ends(start(made.kernel, 0, NULL), 0.1));
}

/* A kernel leaves its buffer: its unit is lost, the other one is not. */
static void test_beyond(void)
{
	cl_kernel first = kernel_of("touch:{touch_1}"), second = kernel_of("touch:{touch_2}");
	uint8_t data[8192] = {0};
	buffer_of(first, 0, sizeof data);
	set_number(first, 1, 8191);
	EXPECT(ends(start(first, 0, NULL), 5));
	set_number(first, 1, 8192);
	EXPECT(!ends(start(first, 0, NULL), 0.3));
	cl_mem buffer = buffer_of(second, 0, sizeof data);
	set_number(second, 1, 4096);
	EXPECT(ends(start(second, 0, NULL), 5));
	read_all(buffer, data, sizeof data);
	EXPECT(data[4096] == 1 && data[4095] == 0);
}

/* OMT_MODEL_ALLOC_LIMIT: a buffer that the card refuses. XRT says nothing; a launch with it does
 * not end, other buffers keep what they hold. */
static void test_refused(void)
{
	addition made = addition_of("add:{add_1}", 1000, 0), second;
	float data[1000];
	second = addition_of("add:{add_2}", 1 << 20, 0);
	EXPECT(!ends(start(second.kernel, 0, NULL), 0.3));
	EXPECT(ends(start(made.kernel, 0, NULL), 5));
	EXPECT(is_right(&made));
	read_all(made.a, data, sizeof data);
	EXPECT(data[999] == 999);
}

/* More than a bank: that XRT itself refuses. */
static void test_limit(void)
{
	cl_kernel kernel = kernel_of("lonely");
	cl_int status;
	cl_mem buffer = clCreateBuffer(context, CL_MEM_READ_WRITE, (size_t)1 << 31, NULL, &status);
	MUST(status);
	EXPECT(clSetKernelArg(kernel, 0, sizeof buffer, &buffer) == CL_OUT_OF_RESOURCES);
}

/* OMT_MODEL_LOST: reads give ones, launches do not end. */
static void test_lost(void)
{
	addition made = addition_of("add", 1000, 0);
	EXPECT(ends(start(made.kernel, 0, NULL), 5));
	EXPECT(is_right(&made));
	uint8_t data[4000];
	for (int i = 0; i < 200; i++) /* until the call comes */
		read_all(made.out, data, sizeof data);
	for (size_t i = 0; i < sizeof data; i++)
		EXPECT(data[i] == 0xff);
	EXPECT(!ends(start(made.kernel, 0, NULL), 0.3));
}

/* One container after the other. */
static void test_reload(void)
{
	for (int i = 0; i < 3; i++) {
		addition made = addition_of("add", 1000, 0);
		cl_event event = start(made.kernel, 0, NULL);
		EXPECT(ends(event, 5));
		EXPECT(is_right(&made));
		MUST(clFinish(queue));
		MUST(clReleaseEvent(event));
		MUST(clReleaseMemObject(made.a));
		MUST(clReleaseMemObject(made.b));
		MUST(clReleaseMemObject(made.out));
		MUST(clReleaseKernel(made.kernel));
		MUST(clReleaseProgram(program));
		load();
	}
}

/* OMT_MODEL_PACE and a slow clock: 1000 / 4 trips at 1 kHz. */
static void test_pace(void)
{
	addition made = addition_of("add", 1000, 0);
	const double begin = omt_now_s();
	EXPECT(ends(start(made.kernel, 0, NULL), 5));
	EXPECT(omt_now_s() - begin > 0.25);
	EXPECT(is_right(&made));
}

/* Runs until it is killed. */
static void test_stay(void)
{
	addition made = addition_of("add", 1000, 60000);
	start(made.kernel, 0, NULL);
	printf("running\n");
	fflush(stdout);
	nanosleep(&(struct timespec){.tv_sec = 60}, NULL);
}

int main(int count, char **words)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} tests[] = {
		{"banks", test_banks}, {"many", test_many},     {"units", test_units},
		{"order", test_order}, {"large", test_large},   {"parts", test_parts},
		{"stuck", test_stuck}, {"beyond", test_beyond}, {"refused", test_refused},
		{"limit", test_limit}, {"lost", test_lost},     {"reload", test_reload},
		{"pace", test_pace},   {"stay", test_stay},
	};
	if (count < 3)
		return 2;
	for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
		if (!strcmp(tests[i].name, words[2])) {
			set_up(words[1]);
			tests[i].run();
			if (!wrong)
				printf("fine\n");
			return wrong;
		}
	return 2;
}
