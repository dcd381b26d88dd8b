/* Which part of a list this process takes: from its options, or from what launchers tell. */
#include <errno.h>
#include <stdlib.h>

#include "cli/cli.h"

/* Innermost launchers first: torchrun or mpirun may have been started by SLURM. */
static const struct {
	const char *rank, *world;
} launchers[] = {
	{"RANK", "WORLD_SIZE"},                           /* torchrun and its like */
	{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"}, /* Open MPI */
	{"PMI_RANK", "PMI_SIZE"},                         /* MPICH, Intel MPI */
	{"SLURM_PROCID", "SLURM_NTASKS"},                 /* srun */
};

/* -1: not a number. */
static int64_t number_of(const char *text)
{
	char *end;
	errno = 0;
	long long number = strtoll(text, &end, 10);
	return end == text || *end || errno || number < 0 || number > INT32_MAX ? -1 : number;
}

/* A batch script of SLURM has the first task's variables, though it runs once: only a step, which
 * srun starts, has a number. */
static bool is_batch_script(const char *rank_name)
{
	return rank_name[0] == 'S' && getenv("SLURM_JOB_ID") && !getenv("SLURM_STEP_ID");
}

/* Checks a pair of texts and takes it. */
static bool take(const char *verb, const char *rank_name, const char *rank, const char *world_name,
                 const char *world, cli_ranks *ranks)
{
	if (!rank || !world) {
		cli_usage(verb, "%s is set, %s is not", rank ? rank_name : world_name,
		          rank ? world_name : rank_name);
		return false;
	}
	ranks->rank = number_of(rank);
	ranks->world = number_of(world);
	if (ranks->world < 1) {
		cli_usage(verb, "%s is \"%s\", expected a number of processes", world_name, world);
		return false;
	}
	if (ranks->rank < 0 || ranks->rank >= ranks->world) {
		cli_usage(verb, "%s is \"%s\", expected a number from 0 to %lld", rank_name, rank,
		          (long long)ranks->world - 1);
		return false;
	}
	ranks->from = rank_name;
	return true;
}

bool cli_ranks_find(const char *verb, cli_ranks *ranks)
{
	if (ranks->rank_text || ranks->world_text)
		return take(verb, "--rank", ranks->rank_text, "--world", ranks->world_text, ranks);
	for (size_t i = 0; i < sizeof launchers / sizeof *launchers; i++) {
		const char *rank = getenv(launchers[i].rank), *world = getenv(launchers[i].world);
		if ((rank || world) && !is_batch_script(launchers[i].rank))
			return take(verb, launchers[i].rank, rank, launchers[i].world, world,
			            ranks);
	}
	ranks->world = 1;
	return true;
}
