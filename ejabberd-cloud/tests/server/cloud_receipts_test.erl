%%% SPDX-License-Identifier: MIT
%%%
%%% Tests cloud_receipts beside a model of a session: a queue of what is unacknowledged, as ejabberd keeps it.
-module(cloud_receipts_test).
-export([run/0]).

run() ->
    batches(),
    nothing_is_known(),
    numbers_begin_anew(),
    %% Every course of so many steps, from the first number and from shortly before numbers begin anew.
    [course(course_of(Begin), 6) || Begin <- [0, 16#FFFFFFFE]],
    io:format("~b courses", [get(courses)]).

%% One that waits to be removed is removed with others, and a thousand do not wait.
batches() ->
    One = cloud_receipts:received(1, cloud_receipts:written(0, 1, cloud_receipts:new())),
    {[], One} = cloud_receipts:due(One),
    {[1], Left} = cloud_receipts:all_received(One),
    [0] = cloud_receipts:ids(Left),
    {[0], _} = cloud_receipts:due(cloud_receipts:acknowledged(none, Left)),
    Many = lists:foldl(fun cloud_receipts:received/2, One, lists:seq(2, 999)),
    {[], Many} = cloud_receipts:due(Many),
    All = lists:seq(1, 1000),
    {All, Left} = cloud_receipts:due(cloud_receipts:received(1000, Many)).

nothing_is_known() ->
    Receipts = cloud_receipts:written(0, 1, cloud_receipts:new()),
    Receipts = cloud_receipts:acknowledged(unknown, Receipts).

%% What is kept may be anything: only what was surely written before it has been acknowledged.
numbers_begin_anew() ->
    [{Number, Kept, Is} = {Number, Kept, is_acknowledged(Number, Kept)}
     || {Number, Kept, Is} <- [{1, 1, false}, {1, 2, true}, {2, 1, false}, {16#FFFFFFFF, 0, true}, {0, 16#FFFFFFFF, false},
                               {5, 5 + 16#7FFFFFFF, true}, {5, 5 + 16#80000000, false}]].

is_acknowledged(Number, Kept) ->
    Receipts = cloud_receipts:acknowledged(Kept, cloud_receipts:written(id, Number, cloud_receipts:new())),
    element(1, cloud_receipts:all_received(Receipts)) == [id].

%% A course: the number of the last stanza, the queue with a name for each message of ours, what was acknowledged or needs no
%% acknowledgement, what was removed, and the receipts.
course_of(Begin) -> {Begin, [], [], [], cloud_receipts:new(), 0}.

course(Course, 0) ->
    put(courses, 1 + case get(courses) of undefined -> 0; Courses -> Courses end),
    ended(Course);
course(Course, Steps) ->
    [course(step(Step, Course), Steps - 1) || Step <- [ours, another, received, look, {acknowledge, 1}, {acknowledge, 2}]].

step(ours, {Last, Queue, Surely, Removed, Receipts, Id}) ->
    Number = (Last + 1) rem 16#100000000,
    {Number, Queue ++ [{Number, Id}], Surely, Removed, cloud_receipts:written(Id, Number, Receipts), Id + 1};
step(another, {Last, Queue, Surely, Removed, Receipts, Id}) ->
    Number = (Last + 1) rem 16#100000000,
    {Number, Queue ++ [{Number, none}], Surely, Removed, Receipts, Id};
step(received, {Last, Queue, Surely, Removed, Receipts, Id}) ->
    {Last, Queue, [Id | Surely], Removed, cloud_receipts:received(Id, Receipts), Id + 1};
step({acknowledge, Count}, {Last, Queue, Surely, Removed, Receipts, Id}) ->
    {Gone, Kept} = lists:split(min(Count, length(Queue)), Queue),
    {Last, Kept, [One || {_, One} <- Gone, One /= none] ++ Surely, Removed, Receipts, Id};
step(look, Course) -> remove(fun cloud_receipts:due/1, Course).

remove(Which, {Last, Queue, Surely, Removed, Receipts, Id}) ->
    First = case Queue of [] -> none; [{Number, _} | _] -> Number end,
    {Ids, Left} = Which(cloud_receipts:acknowledged(First, Receipts)),
    [] = Ids -- Surely,
    [] = [Twice || Twice <- Ids, lists:member(Twice, Removed)],
    %% All or nothing, and all when nothing of ours is unacknowledged.
    Unacknowledged = [One || {_, One} <- Queue, One /= none],
    true = Ids == [] orelse lists:sort(Ids) == lists:sort(Surely -- Removed),
    true = Unacknowledged /= [] orelse lists:sort(Ids ++ Removed) == lists:sort(Surely),
    {Last, Queue, Surely, Ids ++ Removed, Left, Id}.

%% At the end all that was received goes, and all else is left.
ended(Course) ->
    {_, Queue, Surely, Removed, Left, _} = remove(fun cloud_receipts:all_received/1, Course),
    true = lists:sort(Removed) == lists:sort(Surely),
    true = cloud_receipts:ids(Left) == [One || {_, One} <- Queue, One /= none].
