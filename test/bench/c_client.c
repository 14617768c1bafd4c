/*
 * The limit to measure against: one thread and one connection, in C.
 *
 *     cc -O2 -o c_client c_client.c
 *     ./c_client PORT get|set IN_FLIGHT VALUE_BYTES MILLISECONDS
 *
 * It does what a client cannot leave out: it writes requests of the meta dialect, reads each reply, checks its
 * opaque and copies its value. It prints a line of JSON: calls a second, and the microseconds of CPU that the
 * process took for one call, by getrusage.
 */
#define _GNU_SOURCE /* memrchr */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define KEYS 1000
#define OPAQUES 10000
#define MOST_KEYS_BYTES 64

static int connection;
static int value_bytes;
static char *value; /* followed by CRLF */
static char *copied;
static char *requests;
static char replies[1 << 20];
static size_t unread;

static void fail(const char *what) {
  fprintf(stderr, "c_client: %s\n", what);
  exit(1);
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec + now.tv_nsec / 1e9;
}

static double cpu_seconds(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return used.ru_utime.tv_sec + used.ru_stime.tv_sec +
         (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static char *put_number(char *at, unsigned long number) {
  char digits[20];
  int count = 0;
  do {
    digits[count++] = '0' + number % 10;
    number /= 10;
  } while (number > 0);
  while (count > 0) *at++ = digits[--count];
  return at;
}

/* Writes one request and returns where the next one goes. Keys have 27 bytes, as sessions have them. */
static char *put_request(char *at, int is_set, unsigned long number) {
  unsigned key = number * 7919 % KEYS;
  memcpy(at, is_set ? "ms " : "mg ", 3);
  memcpy(at + 3, "bench:c:000000000000000", 23);
  at += 26;
  for (unsigned tens = KEYS; tens > 0; tens /= 10) *at++ = '0' + key / tens % 10;
  if (is_set) {
    *at++ = ' ';
    at = put_number(at, value_bytes);
  } else {
    memcpy(at, " v f", 4);
    at += 4;
  }
  memcpy(at, " O", 2);
  at = put_number(at + 2, number % OPAQUES);
  memcpy(at, "\r\n", 2);
  at += 2;
  if (is_set) {
    memcpy(at, value, value_bytes + 2);
    at += value_bytes + 2;
  }
  return at;
}

static void send_all(const char *from, const char *to) {
  while (from < to) {
    ssize_t written = write(connection, from, to - from);
    if (written <= 0) fail("the server does not take what is written");
    from += written;
  }
}

/* Takes the replies that are whole; returns how many have been taken altogether. */
static unsigned long take_replies(unsigned long taken) {
  ssize_t count = read(connection, replies + unread, sizeof replies - unread);
  if (count <= 0) fail("the server has closed the connection");
  unread += count;
  char *at = replies;
  char *end = replies + unread;
  for (;;) {
    char *line_end = memchr(at, '\n', end - at);
    if (line_end == NULL) break;
    char *next = line_end + 1;
    if (at[0] == 'V') {
      int bytes = atoi(at + 3);
      if (end - next < bytes + 2) break;
      if (bytes != value_bytes) fail("a value of another length");
      memcpy(copied, next, bytes);
      next += bytes + 2;
    } else if (at[0] != 'H') {
      fail("an unexpected reply");
    }
    char *opaque = memrchr(at, 'O', line_end - at);
    if (opaque == NULL || strtoul(opaque + 1, NULL, 10) != taken % OPAQUES) fail("a wrong opaque");
    taken++;
    at = next;
  }
  unread = end - at;
  memmove(replies, at, unread);
  return taken;
}

/* Keeps `in_flight` requests going until `limit` requests are sent or `milliseconds` are over. */
static unsigned long run(int is_set, unsigned long in_flight, unsigned long limit, int milliseconds) {
  unsigned long sent = 0, taken = 0;
  double end = seconds() + milliseconds / 1e3;
  int is_over = 0;
  do {
    char *at = requests;
    while (!is_over && sent < limit && sent - taken < in_flight) {
      at = put_request(at, is_set, sent++);
    }
    send_all(requests, at);
    taken = take_replies(taken);
    is_over = sent == limit || seconds() > end;
  } while (taken < sent || !is_over);
  return taken;
}

int main(int count, char **arguments) {
  if (count != 6) fail("PORT get|set IN_FLIGHT VALUE_BYTES MILLISECONDS");
  int is_set = strcmp(arguments[2], "set") == 0;
  unsigned long in_flight = atol(arguments[3]);
  value_bytes = atoi(arguments[4]);
  value = malloc(value_bytes + 2);
  copied = malloc(value_bytes);
  requests = malloc((in_flight + 100) * (value_bytes + MOST_KEYS_BYTES + 2));
  memset(value, 'x', value_bytes);
  memcpy(value + value_bytes, "\r\n", 2);

  struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(atoi(arguments[1]))};
  server.sin_addr.s_addr = inet_addr("127.0.0.1");
  connection = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(connection, (struct sockaddr *)&server, sizeof server) != 0) fail("cannot connect");
  int on = 1;
  setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);

  run(1, 10, KEYS, 10000);
  double begun = seconds(), cpu_begun = cpu_seconds();
  unsigned long calls = run(is_set, in_flight, -1UL, atoi(arguments[5]));
  double cpu = cpu_seconds() - cpu_begun, took = seconds() - begun;
  printf("{\"opsPerSecond\":%.0f,\"cpuMicrosPerOp\":%.4f}\n", calls / took, cpu / calls * 1e6);
  return 0;
}
