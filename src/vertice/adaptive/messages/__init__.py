"""The messages of the Adaptive Immune System: six queues, who sends what, and in which form.

| queue                   | direction | messages                                                              |
|-------------------------|-----------|-----------------------------------------------------------------------|
| `oraculo.apv.dispatch`  | in        | an outside scanner found an APV                                        |
| `eureka.remedy.status`  | out       | a remedy was planned, refuted, proposed                                |
| `wargaming.trigger`     | out       | a wargame is to be run in an outside arena                             |
| `wargaming.results`     | in        | such a wargame ended, with what the runner there wrote                 |
| `hitl.review_request`   | out       | a review waits for a person                                            |
| `hitl.decision`         | out       | a person decided; the decision was carried out, or could not be        |

A queue has one direction: a reader of its own announcements would act on them a second time. So the verdict of a
wargame, wherever it ran, is announced in `eureka.remedy.status`, and our own findings do not go through
`oraculo.apv.dispatch`. Whoever receives an outside arena's result another way (a webhook) may leave it in
`wargaming.results` for a worker: that is a delivery, not an announcement.
"""
