#include "exec/backend_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

typedef struct omt_host_buffer {
	omt_buffer base;
	void *data;
	bool borrowed;
} omt_host_buffer;

/* Vector loads of any width are aligned. */
#define ALIGNMENT 64

omt_status omt_host_open(const omt_backend_class *class, omt_backend **self, omt_error *err)
{
	omt_host_backend *host = calloc(1, sizeof *host);
	if (!host)
		return OMT_FAIL(err, NO_MEMORY, "backend %s", class->name);
	host->base.class = class;
	*self = &host->base;
	return OMT_OK;
}

void omt_host_close(omt_backend *self)
{
	free(self);
}

void *omt_host_buffer_data(const omt_buffer *buffer)
{
	return ((const omt_host_buffer *)buffer)->data;
}

omt_status omt_host_alloc(omt_backend *self, size_t bytes, omt_usage usage, const void *borrowed,
                          omt_buffer **given, omt_error *err)
{
	(void)usage;
	*given = NULL;
	omt_host_buffer *buffer = malloc(sizeof *buffer);
	if (!buffer)
		return OMT_FAIL(err, NO_MEMORY, "a buffer of %zu bytes", bytes);
	*buffer = (omt_host_buffer){.base = {.owner = self, .bytes = bytes}};
	if (borrowed) {
		buffer->data = (void *)(uintptr_t)borrowed;
		buffer->borrowed = true;
	} else {
		size_t rounded = (bytes / ALIGNMENT + 1) * ALIGNMENT;
		buffer->data = rounded > bytes ? aligned_alloc(ALIGNMENT, rounded) : NULL;
	}
	if (!buffer->data) {
		free(buffer);
		return OMT_FAIL(err, NO_MEMORY, "a buffer of %zu bytes", bytes);
	}
	*given = &buffer->base;
	return OMT_OK;
}

void omt_host_free(omt_backend *self, omt_buffer *buffer)
{
	(void)self;
	omt_host_buffer *host = (omt_host_buffer *)buffer;
	if (host && !host->borrowed)
		free(host->data);
	free(host);
}

void omt_host_mark(omt_backend *self, double begin_s, uint64_t *mark)
{
	omt_host_backend *host = (omt_host_backend *)self;
	uint64_t number = ++host->next_mark;
	host->marks[number % OMT_MARKS].begin_s = begin_s;
	host->marks[number % OMT_MARKS].end_s = omt_now_s();
	if (mark)
		*mark = number;
}

omt_status omt_host_write(omt_backend *self, omt_buffer *buffer, size_t offset, const void *data,
                          size_t bytes, uint64_t *mark, omt_error *err)
{
	(void)err;
	double begin_s = omt_now_s();
	memcpy((uint8_t *)omt_host_buffer_data(buffer) + offset, data, bytes);
	if (mark)
		omt_host_mark(self, begin_s, mark);
	return OMT_OK;
}

omt_status omt_host_read(omt_backend *self, const omt_buffer *buffer, size_t offset, void *data,
                         size_t bytes, uint64_t *mark, omt_error *err)
{
	(void)err;
	double begin_s = omt_now_s();
	memcpy(data, (const uint8_t *)omt_host_buffer_data(buffer) + offset, bytes);
	if (mark)
		omt_host_mark(self, begin_s, mark);
	return OMT_OK;
}

bool omt_host_done(omt_backend *self, uint64_t mark)
{
	(void)self;
	(void)mark;
	return true;
}

omt_status omt_host_wait(omt_backend *self, uint64_t mark, omt_error *err)
{
	(void)self;
	(void)mark;
	(void)err;
	return OMT_OK;
}

double omt_host_elapsed(omt_backend *self, uint64_t first, uint64_t last)
{
	const omt_host_backend *host = (const omt_host_backend *)self;
	if (host->next_mark - first >= OMT_MARKS)
		return 0;
	return host->marks[last % OMT_MARKS].end_s - host->marks[first % OMT_MARKS].begin_s;
}

void omt_host_info(omt_backend_info *info)
{
	char line[256];
	FILE *cpu = fopen("/proc/cpuinfo", "r");
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	info->memory_bytes = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
	info->max_alloc_bytes = info->memory_bytes;
	info->compute_units = cores > 0 ? (int32_t)cores : 1;
	info->panel = 1;
	info->in_place = true;
	snprintf(info->device, sizeof info->device, "cpu");
	snprintf(info->platform, sizeof info->platform, "host");
	while (cpu && fgets(line, sizeof line, cpu)) {
		char *name = strchr(line, ':');
		if (strncmp(line, "model name", 10) || !name)
			continue;
		name[strcspn(name, "\n")] = '\0';
		snprintf(info->device, sizeof info->device, "%.120s", name + 2);
		break;
	}
	if (cpu)
		fclose(cpu);
}
